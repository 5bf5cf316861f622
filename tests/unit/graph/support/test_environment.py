"""Errors of the environment are told from errors of a question, whatever library raises them."""

import errno
import sqlite3
from types import SimpleNamespace

import pytest

from graph.support import errors
from graph.support.environment import (
    check_outcomes,
    environment_failures,
    failure_of,
    is_environment,
    lacks_memory,
)
from graph.support.errors import EnvironmentFailure, FileLostError


def of(module, *names, base=Exception, **attributes):
    """Return an error of a library: its class has this module and inherits from these names."""
    kind = base
    for name in reversed(names):
        kind = type(name, (kind,), {"__module__": module})
    error = kind("no")
    vars(error).update(attributes)
    return error


def with_response(code, base=Exception):
    return of("lib", "HTTPStatusError", base=base, response=SimpleNamespace(status_code=code))


def caused(error, cause):
    error.__cause__ = cause
    return error


def raised_while_handling(error, handled, *, suppress=False):
    try:
        try:
            raise handled
        except BaseException:
            if suppress:
                raise error from None
            raise error  # noqa: B904
    except BaseException as raised:
        return raised


ENVIRONMENT = [
    *(OSError(code, "no") for code in (errno.ENOSPC, errno.EMFILE, errno.EIO, errno.EROFS)),
    *(ConnectionRefusedError("no"), ConnectionResetError("no"), BrokenPipeError(), TimeoutError()),
    *(FileNotFoundError("no"), PermissionError("no"), ImportError("no"), MemoryError()),
    *(sqlite3.OperationalError("disk I/O error"), sqlite3.DatabaseError("malformed")),
    *(errors.ConfigError("no"), errors.MissingExtraError("no"), errors.IndexMismatchError("no")),
    *(errors.DatasetError("no"), errors.RunLockedError("no"), EnvironmentFailure("no")),
    of("psycopg", "OperationalError", "DatabaseError"),
    of("psycopg.errors", "AdminShutdown", base=type(of("psycopg", "OperationalError"))),
    of("psycopg", "InterfaceError"),
    of("sqlalchemy.exc", "OperationalError"),
    of("httpx", "ConnectError", "NetworkError", "TransportError"),
    of("httpx", "RemoteProtocolError", "ProtocolError", "TransportError"),
    of("httpx", "ReadTimeout", "TimeoutException", "TransportError"),
    of("httpcore", "ReadError", "NetworkError"),
    of("openai", "APIConnectionError", "APIError"),
    of("openai", "APITimeoutError", "APIConnectionError", "APIError"),
    of("anthropic", "APIConnectionError"),
    of("requests.exceptions", "ConnectionError", "RequestException", base=OSError),
    of("urllib3.exceptions", "MaxRetryError", "RequestError", "HTTPError"),
    of("aiohttp.client_exceptions", "ServerDisconnectedError", "ClientError"),
    of("my_model", "ServerConnectionError"),
    of("huggingface_hub.errors", "OfflineModeIsEnabled", base=ConnectionError),
    of("torch", "AcceleratorError", base=RuntimeError),
    of("torch", "OutOfMemoryError", base=RuntimeError),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    RuntimeError("HIP error: invalid device function"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    *(with_response(code) for code in (401, 403, 404, 408, 409, 429, 500, 502, 503, 529)),
    of("openai", "RateLimitError", status_code=429),
    of("ollama", "ResponseError", status_code=500),
    of("google.api_core", "ServiceUnavailable", code=503),
    of("aiohttp", "ClientResponseError", "ClientError", status=502),
    caused(RuntimeError("no answer"), ConnectionResetError("no")),
    caused(ValueError("no answer"), caused(KeyError("x"), TimeoutError("no"))),
    raised_while_handling(RuntimeError("no answer"), ConnectionRefusedError("no")),
    raised_while_handling(RuntimeError("no answer"), MemoryError()),
    ExceptionGroup("two", [ValueError("x"), ConnectionResetError("no")]),
]
QUESTION = [
    *(errors.PromptTooLongError("no"), errors.FailedRequestError("no")),
    caused(errors.FailedRequestError("no"), with_response(500)),
    *(
        ValueError("unusable logits"),
        KeyError("x"),
        IndexError(),
        TypeError("no"),
        RecursionError(),
    ),
    *(ZeroDivisionError(), UnicodeEncodeError("utf-8", "x", 0, 1, "no"), StopIteration()),
    RuntimeError("probability tensor contains either `inf`, `nan` or element < 0"),
    RuntimeError("Expected all tensors to be on the same device, but found cuda:0 and cpu"),
    ValueError("the answer says: CUDA error, out of memory, Connection refused"),
    *(with_response(code) for code in (400, 413, 422)),
    *(with_response(code, base=OSError) for code in (400, 413, 422)),
    of("openai", "BadRequestError", "APIStatusError", status_code=400),
    of("openai", "LengthFinishReasonError", "OpenAIError", code="context_length_exceeded"),
    of("psycopg.errors", "SyntaxError", "ProgrammingError"),
    of("my_model", "DisconnectedThoughtError"),
    caused(ValueError("x"), KeyError("x")),
    caused(with_response(400), ConnectionResetError("no")),
    raised_while_handling(ValueError("x"), ConnectionResetError("no"), suppress=True),
    raised_while_handling(KeyError("x"), FileNotFoundError("no")),
    raised_while_handling(ValueError("x"), ImportError("no")),
    raised_while_handling(errors.PromptTooLongError("no"), OSError("no")),
    ExceptionGroup("two", [ValueError("x"), KeyError("x")]),
]


@pytest.mark.parametrize("error", ENVIRONMENT, ids=repr)
def test_an_error_of_the_environment_is_recognised(error):
    assert is_environment(error)


@pytest.mark.parametrize("error", QUESTION, ids=repr)
def test_an_error_of_a_question_is_not_of_the_environment(error):
    assert not is_environment(error)


@pytest.mark.parametrize("name", ["httpx", "openai", "psycopg", "aiohttp", "torch", "urllib3"])
def test_the_classes_of_the_installed_libraries_are_recognised(name):
    library = pytest.importorskip(name)
    error = {
        "httpx": lambda: library.ConnectError("no"),
        "openai": lambda: library.APIConnectionError(request=None),
        "psycopg": lambda: library.errors.AdminShutdown("no"),
        "aiohttp": lambda: library.ServerDisconnectedError(),
        "torch": lambda: library.OutOfMemoryError("CUDA out of memory"),
        "urllib3": lambda: library.exceptions.ProtocolError("no"),
    }[name]()
    assert is_environment(error)


@pytest.mark.parametrize("library", ["httpx", "httpx2", "httpcore", "httpcore2"])
@pytest.mark.parametrize(
    "name", ["ConnectError", "ReadError", "WriteError", "RemoteProtocolError", "ReadTimeout"]
)
def test_the_errors_of_clients_for_http_are_recognised(library, name):
    error = getattr(pytest.importorskip(library), name)("no")
    assert is_environment(error)
    assert is_environment(caused(ValueError("no answer"), error))


def test_errors_that_cause_each_other_are_looked_at_once():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert not is_environment(first)


def test_a_failure_is_one_line_with_the_class_and_the_cause():
    assert str(failure_of(ConnectionResetError(104, "reset\nby peer"))) == (
        "ConnectionResetError: [Errno 104] reset by peer"
    )
    assert str(failure_of(TimeoutError())) == "TimeoutError"
    assert str(failure_of(errors.ConfigError("no server listens"))) == "no server listens"
    deep = caused(RuntimeError("no answer"), ConnectionResetError("gone"))
    assert str(failure_of(deep)) == "RuntimeError: no answer (ConnectionResetError: gone)"
    secret = ConnectionError(
        "no server at postgresql://me:s3cret-pass@host/db, password=s3cret-pass"
    )
    assert "s3cret" not in str(failure_of(secret))
    failure = EnvironmentFailure("x")
    assert failure_of(failure) is failure
    assert failure.exit_code == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        errors.PromptTooLongError("x"),
        FileLostError("x"),
    ],
)
def test_a_block_passes_errors_of_questions_and_lost_files_on(error):
    with pytest.raises(type(error)) as caught, environment_failures():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "error", [OSError(28, "full"), MemoryError("full"), errors.ConfigError("full")]
)
def test_a_block_turns_errors_of_the_environment_into_failures(error):
    with pytest.raises(EnvironmentFailure, match="full"), environment_failures():
        raise error


def test_a_password_is_removed_before_a_long_message_is_cut():
    message = f"{'x' * 270} postgresql://user:hunter2{'y' * 100}@host/db"
    assert "hunter2" not in str(failure_of(OSError(message)))


@pytest.mark.parametrize(
    "outcomes", [["a", "b"], ["a", ValueError("x")], [ValueError("x")] * 2, [KeyError("x"), "b"]]
)
def test_results_and_errors_of_single_prompts_pass(outcomes):
    check_outcomes(outcomes)


@pytest.mark.parametrize("error", [MemoryError("no room"), ConnectionResetError("gone")])
def test_one_outcome_of_the_environment_is_a_failure_of_all(error):
    with pytest.raises(EnvironmentFailure, match=r"no room|gone"):
        check_outcomes(["a", error, "b"])


def test_only_memory_is_a_lack_of_memory():
    assert lacks_memory(MemoryError())
    assert lacks_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert lacks_memory(RuntimeError("XPU out of memory"))
    assert not lacks_memory(RuntimeError("CUDA error: device-side assert triggered"))
    assert not lacks_memory(ValueError("out of memory"))
    assert not lacks_memory(OSError(errno.ENOMEM, "no"))
