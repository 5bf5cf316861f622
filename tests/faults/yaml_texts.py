"""Generated YAML: values of --set, and config files."""

from random import Random

from graph.config import config_names
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


def _fields() -> list[str]:
    sections = {name: field.annotation for name, field in Config.model_fields.items()}
    return [
        f"{section}.{name}"
        for section, model in sections.items()
        for name in getattr(model, "model_fields", {})
    ] + [
        "generator.model",
        "judge.dtype",
        "embedder.weights",
        "embedder.engine",
        "embedder.query_prompt",
    ]


def _scalar(random: Random) -> str:
    return random.choice(_SCALARS) if random.random() < 0.7 else odd_text(random)


def _override(random: Random) -> str:
    field = random.choice(_fields())
    if random.random() < 0.1:
        field = random.choice((odd_text(random), field.upper(), field + ".x", "", ".", "a.b"))
    # The system takes no NUL in an argument.
    return f"{field}{random.choice(('=', '=', '=', '', ': '))}{_scalar(random)}".replace("\0", "")


def _document(random: Random) -> str:
    """Return a config file: sections and fields, some with odd values, some twice."""
    lines = []
    for _ in range(random.randrange(0, 6)):
        section, _, name = random.choice(_fields()).partition(".")
        lines.append(f"{section}:\n  {name}: {_scalar(random)}")
    if random.random() < 0.2:
        lines.append(_scalar(random))
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
