"""Generated YAML: values of --set, and config files."""

import json
from functools import cache
from random import Random

from graph.config import config_names, load_settings
from graph.schema import Config
from tests.faults.commands import FAST, run_command
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.odd_values import damaged, odd_text
from tests.faults.runs import data

_SCALARS = (
    *("1", "-1", "0", "8", "1.5", "1e3", ".nan", ".inf", "0o17", "0x1F", "1_000", "12:30:45"),
    *(
        "true",
        "no",
        "~",
        "null",
        "",
        "''",
        "2024-01-01",
        "2024-99-99",
        "2001-12-14t21:59:43.10-05:00",
    ),
    *("!!bool x", "!!timestamp x", "!!int x", "!!float x", "!!binary x", "!!null x", "!!set {a}"),
    *(
        "!!python/object:os.system x",
        "!x y",
        "!<tag:x> y",
        "&a 1",
        "*a",
        "&a [*a]",
        "<<: *b",
        "? x",
    ),
    *("[1, 2", "{a: 1", "a: b: c", "- 1\n- 2", "|\n  x", ">\n  y", "%YAML 9.9", "---\n1\n---\n2"),
    *("'x", '"\\x00"', '"\\ud800"', "@x", "`x", "\t1", "!", "&", "*", "=", "<<"),
    *("[" * 500, "{" * 500, "[" * 30_000, "- " * 500 + "x", "9" * 5_000, "x" * 100_000),
    "&a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a,*a]\n" for n in range(20)),
    "{a: &a [1,1,1,1,1,1,1,1,1], "
    + "".join(f"b{n}: &b{n} [{','.join([f'*b{n - 1}' if n else '*a'] * 9)}], " for n in range(12))
    + "}",
)


@cache
def _fields() -> dict[str, object]:
    """Return the fields of a config and a profile with their values."""
    settings = load_settings("semantic_cot", "embedded", [])
    sections = {
        **settings.config.model_dump(mode="json"),
        **settings.profile.model_dump(mode="json"),
    }
    return {
        f"{section}.{name}": value
        for section, fields in sections.items()
        for name, value in fields.items()
    }


def _scalar(field: str, random: Random) -> str:
    """Return the field's own value, as in a config that works, or an odd one."""
    if random.random() < 0.6:
        return json.dumps(_fields()[field])
    return random.choice(_SCALARS) if random.random() < 0.7 else odd_text(random)


def _override(random: Random) -> str:
    field = random.choice(list(_fields()))
    name, value = field, _scalar(field, random)
    if random.random() < 0.05:
        name = random.choice((odd_text(random), field.upper(), field + ".x", "", ".", "a.b"))
    # The system takes no NUL in an argument.
    return f"{name}{random.choice(('=', '=', '=', '=', '', ': '))}{value}".replace("\0", "")


def _document(random: Random) -> str:
    """Return a config file: sections and fields, some with odd values, some twice."""
    lines = []
    for _ in range(random.randrange(0, 6)):
        field = random.choice(
            [name for name in _fields() if name.split(".")[0] in Config.model_fields]
        )
        section, _, name = field.partition(".")
        lines.append(f"{section}:\n  {name}: {_scalar(field, random)}")
    if random.random() < 0.1:
        lines.append(random.choice(_SCALARS))
    return "\n".join(lines) + "\n"


def _check(case: Case) -> Outcome:
    random = case.random
    options: list[object] = ["--config", random.choice(config_names()), "--dry-run", *FAST]
    if case.number % 2:
        path = case.folder / "own.yaml"
        path.write_bytes(_document(random).encode("utf-8", "surrogatepass"))
        if random.random() < 0.3:
            path.write_bytes(damaged(path.read_bytes(), random))
        options = ["--config-file", path, "--dry-run", *FAST]
    else:
        overrides = [_override(random) for _ in range(random.randrange(1, 4))]
        options += ["--set", *(text for text in overrides if not text.startswith("-"))]
    files = ("--dataset", data() / "questions.csv", "--corpus", data() / "corpus.csv")
    ended = run_command(case, "eval.py", *options, *files)
    end = "refused" if ended.code == 2 else "unchanged"
    return Outcome(end, faults_of(ended, [0, 2]), f"{options[-1]!r:.300}; {detail_of(ended)}")


KINDS = [Kind("generated YAML", 2_000, 40, _check, data)]
