"""Errors of the environment, which stop a run, apart from errors of a question, which are recorded.

Environment: the disk, memory, the accelerator, a database, a network, a server, a package or a
setting. Another question would meet the same error, and the same question succeeds once the cause
is gone.
Question: everything else, such as a prompt that is too long, a request that a server refuses for its
content (400, 413, 422), one that it fails at while it answers others, unusable numbers of a model, or a
fault in the code.

The classes of libraries are recognised by their names: importing the libraries here would load all
of them, and most are optional.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from graph.support.errors import (
    EnvironmentFailure,
    FileLostError,
    OpenCoderError,
    QuestionError,
)
from graph.support.text import one_line

_QUESTION_CODES = {400, 413, 422}
"""HTTP: the content of this request is refused. All other codes of an error are about the server,
the account or the address."""
_LIBRARY_CLASSES = re.compile(
    r"""
      sqlite3\.Error
    | (psycopg|psycopg2|asyncpg|sqlalchemy)\..*\b(OperationalError|InterfaceError)
    | (httpx2?|httpcore2?)\..*\b(TransportError|NetworkError|ProtocolError)
    | urllib3\..*\bHTTPError
    | aiohttp\..*\bClientError
    | grpc\..*\bRpcError
    | (huggingface_hub|torch)\..*\b(LocalEntryNotFoundError|OfflineModeIsEnabled|AcceleratorError)
    | .*(Connection|Connect|Timeout|TimedOut|Unavailable|RateLimit)(Error|Exception|Expired)?
    """,
    re.VERBOSE,
)
"""Module and name of classes of errors, of which one must match wholly."""
_ACCELERATOR_MESSAGES = re.compile(
    r"(CUDA|HIP|cuDNN|NCCL|MPS|XPU)\s(backend\s)?(driver\s)?(kernel\s)?error|device-side assert"
    r"|CUBLAS_STATUS|CUDNN_STATUS|CUSOLVER_STATUS"
)
_MEMORY_MESSAGES = re.compile(r"DefaultCPUAllocator|out of memory", re.IGNORECASE)


def is_environment(error: BaseException) -> bool:
    """Tell whether an error, or an error that it was raised from, is of the environment."""
    return any(_is_environment(cause) for cause in _causes(error))


def is_of_question(error: BaseException) -> bool:
    """Tell whether an error is known to be of its question, and says nothing about other questions."""
    return isinstance(error, QuestionError) or status_code(error) in _QUESTION_CODES


def lacks_memory(error: BaseException) -> bool:
    """Tell whether an error is a lack of memory, of the accelerator or of the machine."""
    if isinstance(error, RuntimeError) and _MEMORY_MESSAGES.search(str(error)):
        return True
    return isinstance(error, MemoryError) or "torch.OutOfMemoryError" in _class_names(error)


def failure_of(error: BaseException) -> EnvironmentFailure:
    """Return an error of the environment as one line that says what failed."""
    if isinstance(error, EnvironmentFailure):
        return error
    causes = [cause for cause in _causes(error) if _is_environment(cause)]
    deeper = f" ({_line(causes[0])})" if causes and causes[0] is not error else ""
    return EnvironmentFailure(_line(error) + deeper)


@contextmanager
def environment_failures() -> Iterator[None]:
    """Turn an error of the environment in the block into an `EnvironmentFailure`.

    Raises:
        EnvironmentFailure: The environment failed.
    """
    try:
        yield
    except FileLostError:
        raise
    except Exception as error:
        if not is_environment(error):
            raise
        raise failure_of(error) from error


def check_outcomes(outcomes: Sequence[object]) -> None:
    """Check that no outcome of a model call is an error of the environment.

    A prompt that does not fit into memory even alone is one: memory that another program holds
    looks the same, and a prompt is never longer than the window that the user chose.

    Args:
        outcomes: Results, and the errors of single prompts.

    Raises:
        EnvironmentFailure: An outcome is an error of the environment.
    """
    for outcome in outcomes:
        if isinstance(outcome, Exception) and is_environment(outcome):
            raise failure_of(outcome) from outcome


def _line(error: BaseException) -> str:
    # Imported here: at the top it would lengthen the longest chain of imports.
    from graph.support.fault_log import without_secrets

    # The errors of this project say it in words; of others, the class is a part of the message.
    name = "" if isinstance(error, OpenCoderError) else f"{type(error).__name__}: "
    return f"{name}{one_line(without_secrets(str(error)))}".removesuffix(": ")


def _is_environment(error: BaseException) -> bool:
    if isinstance(error, OpenCoderError):
        return not isinstance(error, QuestionError)
    code = status_code(error)
    # First of all, since errors of some clients for HTTP are OSErrors.
    if code is not None:
        return code not in _QUESTION_CODES
    if isinstance(error, OSError | ImportError) or lacks_memory(error):
        return True
    if isinstance(error, RuntimeError) and _ACCELERATOR_MESSAGES.search(str(error)):
        return True
    return any(_LIBRARY_CLASSES.fullmatch(name) for name in _class_names(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors that it was raised from or that it groups."""
    waiting, visited = [error], set()
    while waiting:
        cause = waiting.pop()
        if id(cause) in visited:
            continue
        visited.add(id(cause))
        yield cause
        # These are the whole reason: what was handled below them says less.
        if isinstance(cause, QuestionError) or status_code(cause) is not None:
            continue
        waiting += getattr(cause, "exceptions", ())
        if cause.__cause__ is not None:
            waiting.append(cause.__cause__)
        # A file that was looked for, a package that was tried: handled, and then another error.
        elif not isinstance(cause.__context__, FileNotFoundError | ImportError | None):
            waiting += [] if cause.__suppress_context__ else [cause.__context__]


def status_code(error: BaseException) -> int | None:
    """Return the HTTP status of an error from 400 on, wherever its library keeps it."""
    response = getattr(error, "response", None)
    candidates = [
        *(getattr(error, name, None) for name in ("status_code", "http_status", "status", "code")),
        *(getattr(response, name, None) for name in ("status_code", "status")),
    ]
    codes = [code for code in candidates if isinstance(code, int) and 400 <= code < 600]
    return int(codes[0]) if codes else None


def _class_names(error: BaseException) -> list[str]:
    """Return module and name of an error's class and of the classes that it inherits from."""
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
