"""The errors that a user can cause or fix. Each message is one line that tells what to do.

OpenCoderError            exit code 2
+- ConfigError            a flag, a config or a profile is wrong
+- DatasetError           a corpus, dataset, journal or other data file is wrong
+- IndexMismatchError     an index on disk is of another corpus, encoder or version, or damaged
+- MissingExtraError      an optional package is not installed
+- PromptTooLongError     a question does not fit the model's window; costs that question only
+- RunLockedError         another process holds the run folder (exit code 3)
"""


class OpenCoderError(Exception):
    """Base of all errors that a user can fix."""

    exit_code = 2


class ConfigError(OpenCoderError):
    """A flag, a config or a profile is wrong."""


class DatasetError(OpenCoderError):
    """A corpus, dataset, journal or other data file is wrong."""


class IndexMismatchError(OpenCoderError):
    """An index on disk does not belong to this corpus, encoder or version, or is damaged."""


class MissingExtraError(OpenCoderError):
    """An optional package is not installed."""


class PromptTooLongError(OpenCoderError):
    """A question and its instruction exceed the model's window, even without passages."""


class RunLockedError(OpenCoderError):
    """Another process holds the run folder."""

    exit_code = 3
