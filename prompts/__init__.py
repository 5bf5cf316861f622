"""The texts that models are sent: one module for each node that talks to a model, and no code paths."""
