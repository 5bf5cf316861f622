"""The errors that a user can cause or fix. Each message is one line that tells what to do.

OpenCoderError            exit code 2
+- ConfigError            a flag, a config or a profile is wrong
+- DatasetError           a corpus, dataset, journal or other data file is wrong
+- IndexMismatchError     an index on disk is of another corpus, encoder or version, or damaged
+- MissingExtraError      an optional package is not installed
+- QuestionError          one question cannot be answered; costs that question only
|  +- PromptTooLongError  it does not fit the model's window
|  +- FailedRequestError  a server fails at its request, and answers another one
+- RunLockedError         another process holds the run folder (exit code 3)
+- ReadOnlyFolderError    a run folder cannot be written to; a finished run can still be shown
+- FileLostError          a file of a run was removed or replaced while the run wrote it (exit code 1)
+- EnvironmentFailure     the disk, the memory, a server or a setting failed (exit code 1)

`graph.support.environment` tells errors of the environment from errors of a question.
"""


class OpenCoderError(RuntimeError):
    """Base of all errors that a user can fix.

    A `RuntimeError`, because LangGraph's server hides the messages of other classes from its clients.
    """

    exit_code = 2


class ConfigError(OpenCoderError):
    """A flag, a config or a profile is wrong."""


class DatasetError(OpenCoderError):
    """A corpus, dataset, journal or other data file is wrong."""


class IndexMismatchError(OpenCoderError):
    """An index on disk does not belong to this corpus, encoder or version, or is damaged."""


class MissingExtraError(OpenCoderError):
    """An optional package is not installed."""


class QuestionError(OpenCoderError):
    """One question cannot be answered, which says nothing about others."""


class PromptTooLongError(QuestionError):
    """A question and its instruction exceed the model's window, even without passages."""


class FailedRequestError(QuestionError):
    """A server fails at the request of a question, and answers another one."""


class RunLockedError(OpenCoderError):
    """Another process holds the run folder."""

    exit_code = 3


class ReadOnlyFolderError(DatasetError):
    """A run folder cannot be written to: the file system or its permissions do not allow it."""


class FileLostError(OpenCoderError):
    """A file of a run was removed, moved or replaced while the run wrote it."""

    exit_code = 1


class EnvironmentFailure(OpenCoderError):
    """The disk, the memory, the accelerator, a server or a setting failed, and not a question.

    The run stops and records nothing of it: the same command continues once the cause is gone.
    """

    exit_code = 1
