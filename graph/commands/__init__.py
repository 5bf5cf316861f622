"""The commands of the wheel, one module for each: arguments in, text or JSON out."""
