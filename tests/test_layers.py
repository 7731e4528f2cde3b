"""The floors of the house, as docs/architecture.md draws them, and what no file may do."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dream"

# From the ground up. A file imports from its own folder and from lower floors only; names that share a
# floor stand side by side and do not know each other. The drawing's "corpus, models, metrics" is told
# apart here: metrics ask models (Judge holds a chat model and an embedder), neither knows the corpus.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "records", "cells", "waiting", "streaming", "start_up"),
    ("study", "storage", "modules", "logs"),
    ("study_file", "claims"),
    ("ledger",),
    ("corpus", "models"),
    ("metrics", "retrieval"),
    ("golden", "methods"),
    ("sweep", "training"),
    ("verdict",),
    ("tracking", "report"),
    ("cluster",),
    ("sweeping",),
    ("verbs", "shell"),
    ("audits", "datasets"),
    ("__init__", "cli"),
)
FLOOR = {name: number for number, floor in enumerate(FLOORS) for name in floor}

# It starts itself in another process and needs to know where the package lies; it uses no verb.
KNOWS_THE_PACKAGE = {"models/offline/process.py"}

# ragas reads the variable when it is imported, a few lines below, and calls its makers otherwise.
SETS_THE_ENVIRONMENT = {"models/recorded.py"}

MOST_LINES = 400

# In two parts each, so that this file passes its own test.
REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("conda", "anaconda", "org"),
    ]
]


def home_of(module: str) -> str:
    """The folder or file below dream/ that holds a module: ``dream.models.chat`` lives in ``models``."""
    return module.split(".")[1] if "." in module else "__init__"


def upward_imports(path: Path, package: Path) -> list[str]:
    """What a file imports from above its floor, or from beside it."""
    relative = path.relative_to(package)
    own = relative.parts[0].removesuffix(".py")
    return [
        module
        for module in imported(ast.parse(path.read_text("utf-8")), relative, package)
        if home_of(module) != own
        and FLOOR.get(home_of(module), len(FLOORS)) >= FLOOR[own]
        and not (module == "dream" and relative.as_posix() in KNOWS_THE_PACKAGE)
    ]


def imported(tree: ast.AST, relative: Path, package: Path) -> Iterator[str]:
    """Every module of ours that a file imports, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "dream")
        elif isinstance(node, ast.ImportFrom):
            here = ("dream", *relative.parent.parts)
            start = here[: len(here) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            if module == "dream":
                for alias in node.names:
                    is_module = (package / alias.name).is_dir() or (package / f"{alias.name}.py").is_file()
                    yield f"dream.{alias.name}" if is_module else "dream"
            elif module.startswith("dream."):
                yield module
        elif isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            # only names that are written out; ``dream/__init__.py`` looks its verbs up by a table
            yield from (text for text in constants(node) if text.startswith("dream."))


def constants(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """All parts of a module that run when it is imported: everything but the bodies of functions."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in [*child.decorator_list, *child.args.defaults, *child.args.kw_defaults]:
                if part is not None:
                    yield from at_import(part)
        elif not isinstance(child, ast.Lambda):
            yield from at_import(child)


def touches_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in {"environ", "getenv", "putenv", "environb"} and ast.unparse(node.value) == "os"
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(alias.name in {"environ", "getenv"} for alias in node.names)
    return False


def sources() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 50
    return found


def test_every_module_has_a_floor():
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sources()}
    assert names - set(FLOOR) == set(), "give it a place in FLOORS"


def test_no_file_imports_from_above():
    found = [
        f"dream/{path.relative_to(PACKAGE)} imports {module}"
        for path in sources()
        for module in upward_imports(path, PACKAGE)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "from dream.sweep.run import recorded",
        "import dream.verbs",
        "import dream",
        "from dream import run_sweep",
        "from dream import cli as shell",
        "from ..report import html",
        "def late():\n    from dream.metrics import metric",
        "if TYPE_CHECKING:\n    from dream.corpus import read_corpus",
        "importlib.import_module(f'dream.methods.{name}')",
    ],
)
def test_an_import_from_above_or_beside_is_seen(tmp_path, line):
    package = tmp_path / "dream"
    (package / "models").mkdir(parents=True)
    for name in ("cli", "verbs"):
        (package / f"{name}.py").touch()
    file = package / "models" / "chat.py"
    file.write_text(f"from dream.ledger import Ledger\nfrom dream.models.embedding import Embedder\n{line}\n")
    assert len(upward_imports(file, package)) == 1


def test_no_module_touches_the_environment_when_it_is_imported():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in sources()
        if any(map(touches_environment, at_import(ast.parse(path.read_text("utf-8")))))
    }
    assert found == SETS_THE_ENVIRONMENT


def test_no_file_names_a_package_registry():
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    files = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert len(files) > 100
    hosts = [host.encode() for host in REGISTRIES]
    found = [path for path in files if any(host in path.read_bytes() for host in hosts)]
    assert found == []


def test_no_file_is_longer_than_one_can_keep_in_mind():
    texts = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".js", ".css", ".html", ".yaml"}]
    long = {str(path.relative_to(ROOT)): lines for path in texts if (lines := lines_of(path)) > MOST_LINES}
    assert long == {}


def lines_of(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())
