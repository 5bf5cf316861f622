"""What the code may load, call and weigh: heavy imports, dangerous calls, sizes."""

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("graph", "nodes", "prompts", "serving", "dataset", "evaluation")
HEAVY = ("torch", "transformers", "faiss", "sentence_transformers", "langchain_huggingface")
MODULES = sorted(
    [path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    + [Path("eval.py")]
)
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_CHAIN = 12
MAX_VAGUE_SHARE = 0.03
VAGUE_NAMES = frozenset(
    [
        "asked",
        "each",
        "found",
        "given",
        "got",
        "kept",
        "made",
        "place",
        "said",
        "says",
        "seen",
        "shown",
        "taken",
        "wanted",
    ]
)
"""Say what was done to a value, or nothing; a name says what the value is."""
RIDDLE = re.compile(r"(Return|Say|Tell) (what|how|which|who|where)\b")

IMPORT_BUILD_AND_DRAW = f"""
import json, sys

def heavy():
    return [name for name in {HEAVY!r} if name in sys.modules]

import graph

after_import = heavy()

import graph.__main__
from graph import build_graph, draw
from graph.config import config_names
from tests.fakes.fake_models import FakeModel, FakeRetriever

for name in config_names():
    built = build_graph(name, model=FakeModel(), retriever=FakeRetriever())
    built.get_graph().draw_mermaid()
    assert draw(name).count("judge(judge)") == 1
build_graph("baseline", model=FakeModel(["print it"])).invoke({{"question": "how?"}})
build_graph("semantic_cot", profile="embedded")
build_graph("keyword", profile="gpu")
for name in graph.command_line.COMMANDS:
    graph.command_line.parser_of("opencoder", name).format_help()
print(json.dumps([after_import, heavy()]))
"""


def tree_of(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of `from MODULE import NAME` with their modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def danger_in(tree: ast.Module) -> list[str]:
    """Return the statements of a module that could run code from a file."""
    forbidden_modules = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    forbidden_calls = {"eval", "exec", "compile", "__import__", "print", "input"}
    forbidden_ends = (
        "yaml.load",
        "yaml.unsafe_load",
        "yaml.full_load",
        "torch.load",
        "builtins.eval",
        "builtins.exec",
        "os.system",
        "os.popen",
        "read_pickle",
        "to_pickle",
    )
    found = [name for name in imports(tree) if name in forbidden_modules]
    found += [name for name in imported_names(tree) if name.endswith(forbidden_ends)]
    for name, call in calls(tree):
        if name in forbidden_calls or name.endswith(forbidden_ends):
            found.append(name)
        for keyword in call.keywords:
            truth = isinstance(keyword.value, ast.Constant) and not keyword.value.value
            if keyword.arg in {"allow_pickle", "trust_remote_code", "shell"} and not truth:
                found.append(f"{keyword.arg}={ast.unparse(keyword.value)}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            found += [name for name in names if name in {"trust_remote_code", "allow_pickle"}]
    return found


def test_importing_building_drawing_and_asking_for_help_load_no_heavy_library():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_BUILD_AND_DRAW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], []]


def test_the_scan_covers_every_package():
    names = {module.parts[0] for module in MODULES}
    assert names == {*PACKAGES, "eval.py"}
    assert {Path("graph/build.py"), Path("nodes/judge.py"), Path("prompts/judge_prompts.py")} <= {
        *MODULES
    }


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import shelve as s",
        "from torch import load",
        "from yaml import unsafe_load",
        "from os import system",
        "def f():\n    import dill",
        "eval('1')",
        "exec(code)",
        "yaml.load(text)",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=flag)",
        "options = {'trust_remote_code': True}",
        "print('hello')",
    ],
)
def test_the_scan_finds_what_it_looks_for(code):
    assert danger_in(ast.parse(code)) != []


@pytest.mark.parametrize(
    "code", ["model.eval()", "yaml.safe_load(text)", "np.load(path, allow_pickle=False)"]
)
def test_the_scan_lets_harmless_calls_pass(code):
    assert danger_in(ast.parse(code)) == []


def test_no_module_unpickles_evaluates_or_prints():
    found = {str(module): danger_in(tree_of(module)) for module in MODULES}
    assert {module: danger for module, danger in found.items() if danger} == {}


def test_no_module_is_longer_than_400_lines():
    lines = {str(m): (ROOT / m).read_text(encoding="utf-8").count("\n") for m in MODULES}
    assert {module: count for module, count in lines.items() if count > MAX_MODULE_LINES} == {}


def code_lines(function: ast.FunctionDef, source: list[str]) -> int:
    """Count a function's lines without its docstring, blank lines and comments."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    skipped = set(range(docstring.lineno, docstring.end_lineno + 1)) if docstring else set()
    return sum(
        number not in skipped
        and source[number - 1].strip() != ""
        and not source[number - 1].strip().startswith("#")
        for number in range(function.lineno, function.end_lineno + 1)
    )


def test_no_function_has_more_than_60_lines_of_code():
    long = {}
    for module in MODULES:
        source = (ROOT / module).read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = code_lines(node, source)
                if count > MAX_FUNCTION_LINES:
                    long[f"{module}: {node.name}"] = count
    assert long == {}


def dotted(module: Path) -> str:
    """Return the dotted name of a module; a package's is that of its folder."""
    return ".".join(module.with_suffix("").parts).removesuffix(".__init__")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def run_at_import(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that run when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(child):
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from run_at_import(child)


def imported_modules() -> dict[str, set[str]]:
    """Return the modules of the project that each of its modules imports."""
    names = {dotted(module) for module in MODULES}
    edges = {}
    for module in MODULES:
        targets = set()
        for node in run_at_import(tree_of(module)):
            for alias in node.names:
                if isinstance(node, ast.Import):
                    targets.add(alias.name)
                elif node.module:
                    submodule = f"{node.module}.{alias.name}"
                    targets.add(submodule if submodule in names else node.module)
        edges[dotted(module)] = (targets & names) - {dotted(module)}
    return edges


def longest_chain(edges: dict[str, set[str]]) -> list[str]:
    @cache
    def chain_from(module: str) -> tuple[str, ...]:
        return (module, *max(map(chain_from, sorted(edges[module])), key=len, default=()))

    return list(max(map(chain_from, sorted(edges)), key=len))


def test_the_longest_chain_of_imports_has_at_most_12_modules():
    chain = longest_chain(imported_modules())
    assert len(chain) <= MAX_CHAIN, " > ".join(chain)


def test_a_chain_is_followed_to_its_end_whatever_the_order():
    edges = {"a": {"c", "b"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"d"}}
    assert longest_chain(edges) == ["a", "b", "c", "d"]


def local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = function.args
    return {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    } | {arg.arg for arg in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module}: {node.name}", node


def test_names_say_what_a_value_is():
    vague = {name: local_names(node) & VAGUE_NAMES for name, node in functions()}
    vague = {name: names for name, names in vague.items() if names}
    assert len(vague) < MAX_VAGUE_SHARE * len(list(functions())), vague


def test_docstrings_name_the_thing_and_do_not_ask_for_it():
    asking = [
        name
        for name, node in functions()
        if RIDDLE.match(ast.get_docstring(node) or "") is not None
    ]
    assert asking == []


def test_every_module_has_a_name_of_its_own():
    stems = Counter(
        module.stem for module in MODULES if module.stem not in {"__init__", "__main__"}
    )
    shared = {stem for stem, count in stems.items() if count > 1}
    prompts = {module.stem for module in MODULES if module.parts[0] == "prompts"}
    nodes = {module.stem for module in MODULES if module.parts[0] == "nodes"}
    assert shared <= prompts & nodes


def test_every_module_of_evaluation_lies_in_a_room():
    loose = {module.name for module in MODULES if module.parts[:-1] == ("evaluation",)}
    assert loose == {"__init__.py", "__main__.py"}


def test_heavy_libraries_are_imported_inside_functions_alone():
    eager = {}
    for module in MODULES:
        heavy = set(imports(ast.Module([*run_at_import(tree_of(module))], []))) & set(HEAVY)
        if heavy:
            eager[str(module)] = heavy
    # The pipeline is a subclass of LangChain's; it is itself imported inside a function.
    assert eager == {"graph/models/pipeline.py": {"langchain_huggingface"}}


def test_only_graph_imports_langgraph():
    importing = {module.parts[0] for module in MODULES if "langgraph" in imports(tree_of(module))}
    assert importing == {"graph"}


def test_nodes_and_prompts_import_langchain_core_the_standard_library_and_each_other():
    allowed = {"langchain_core", "nodes", "prompts", "typing_extensions"}
    foreign = {
        str(module): set(imports(tree_of(module))) - allowed - set(sys.stdlib_module_names)
        for module in MODULES
        if module.parts[0] in {"nodes", "prompts"}
    }
    assert {module: names for module, names in foreign.items() if names} == {}


def fixed_waits_in(tree: ast.Module) -> list[str]:
    """Return the calls that wait for a time in numbers instead of for an event."""
    waits = []
    for name, call in calls(tree):
        limits = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        if name.endswith(("sleep", "wait_for_timeout")):
            limits += call.args
        if any(isinstance(limit, ast.Constant) and limit.value for limit in limits):
            waits.append(ast.unparse(call))
    return waits


@pytest.mark.parametrize(
    "code", ["time.sleep(0.1)", "page.wait_for_timeout(50)", "process.communicate(timeout=60)"]
)
def test_the_scan_finds_fixed_waits(code):
    assert fixed_waits_in(ast.parse(code)) == [code]


def test_no_test_waits_for_a_fixed_time():
    # The fakes have the one loop that waits, and a pause that lets another thread run.
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "fakes"]
    waits = {
        str(path.relative_to(ROOT)): fixed_waits_in(ast.parse(path.read_text(encoding="utf-8")))
        for path in tests
    }
    assert {path: calls for path, calls in waits.items() if calls} == {}


def test_no_module_is_a_drawer_for_leftovers():
    assert {"utils", "util", "helpers", "common", "base", "misc"} & {
        m.stem for m in MODULES
    } == set()


def test_no_node_takes_an_argument_that_langgraph_would_fill_itself():
    taken = {"config", "runtime", "store", "writer", "previous"}
    for module in MODULES:
        if module.parts[0] == "nodes":
            for node in ast.walk(tree_of(module)):
                if isinstance(node, ast.FunctionDef):
                    arguments = {arg.arg for arg in [*node.args.args, *node.args.kwonlyargs]}
                    assert arguments & taken == set(), f"{module}: {node.name}"
