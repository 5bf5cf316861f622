"""What `auto` runs on this machine: the profile, engines, precisions, and what they lack."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from graph.diagnosis.problem import Problem, problem_of
from graph.support.cache_contents import contents_of, select
from graph.support.errors import MissingExtraError, OpenCoderError
from graph.support.text import one_line

if TYPE_CHECKING:
    from graph.schema import Settings

_CONFIG = "semantic_cot"
"""The config of commands without --config."""
_NEEDED_CACHES = ["models", "vectors", "indexes"]


class DefaultProfile(NamedTuple):
    """The profile that runs without --profile."""

    name: str | None
    """None where it cannot be found out."""
    reason: str
    models: dict[str, str]
    """What each model of the profile is, with its engine and its precision."""


def inspect_profile(*, can_import: bool, has_gpu: bool) -> tuple[DefaultProfile, list[Problem]]:
    """Return the profile that `auto` is, and why it would not run.

    Args:
        can_import: Whether all required packages are installed, and torch can be imported.
        has_gpu: Whether torch can use a GPU.
    """
    if not can_import:
        return DefaultProfile(None, "required packages are missing", {}), []
    try:
        return _inspect(has_gpu)
    except OpenCoderError as error:
        problem = Problem(str(error), "correct this first", blocking=True)
    # A package that is installed and broken can raise any error when it is imported.
    except Exception as error:
        text = f"the default profile cannot be opened: {type(error).__name__}: {one_line(error)}"
        problem = Problem(text, "install the named package again", blocking=True)
    return DefaultProfile(None, "see the problems", {}), [problem]


def _inspect(has_gpu: bool) -> tuple[DefaultProfile, list[Problem]]:
    from graph.config import load_settings
    from graph.models.machine_defaults import resolve_engine, resolve_model_dtype
    from graph.retrieval.encoder import resolve_encoder_dtype

    settings = load_settings(_CONFIG, "auto", [])
    profile = settings.profile
    reason = "torch can use a GPU" if has_gpu else "torch can use no GPU with CUDA"
    models = {
        name: f"{spec.model}, engine {resolve_engine(spec)}, {resolve_model_dtype(spec)}"
        for name, spec in (("generator", profile.generator), ("judge", profile.judge))
    }
    dtype = resolve_encoder_dtype(profile.embedder.dtype)
    models["encoder"] = f"{profile.embedder.model}, {dtype}"
    problems = [*_missing_models(settings), *_missing_faiss(), *_unusable_caches()]
    return DefaultProfile(settings.profile_name, reason, models), problems


def _missing_models(settings: "Settings") -> list[Problem]:
    profile = settings.profile
    problems = []
    specs: tuple[Any, ...] = (profile.generator, profile.judge, profile.embedder)
    in_packages = dict.fromkeys(spec.model for spec in specs if spec.weights == "package")
    from graph.models import packaged

    for name in in_packages:
        try:
            packaged.revision(name)
        except MissingExtraError as error:
            text, _, command = str(error).partition(": ")
            problems.append(Problem(text, command, blocking=True))
    if in_packages and find_spec("gguf") is None:
        problems.append(
            Problem(
                "the embedded model cannot be converted without gguf (extra embedded)",
                "pip install gguf",
                blocking=True,
            )
        )
    if not in_packages:
        text = f"profile {settings.profile_name} downloads its models at the first use: 5 GiB, and 14 GiB for the judge"
        problems.append(Problem(text, "or give --profile embedded"))
    return problems


def _missing_faiss() -> list[Problem]:
    if find_spec("faiss"):
        return []
    text = "semantic retrieval has no FAISS (extra cpu, or gpu; never both)"
    return [Problem(text, "pip install faiss-cpu", blocking=True)]


def _unusable_caches() -> list[Problem]:
    """Return the caches that the profile cannot write to; it follows a link to a folder."""
    return [
        problem_of(contents, blocking=True)
        for contents in map(contents_of, select(_NEEDED_CACHES))
        if contents.problem
        and not (contents.cache.path.is_symlink() and contents.cache.path.is_dir())
    ]
