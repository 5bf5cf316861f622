"""The one error of this package: the user's input is wrong."""


class InputError(ValueError):
    """What was given cannot be used; the message is one line that says what to do."""
