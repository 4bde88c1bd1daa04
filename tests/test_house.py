"""The house: rooms in an order, imports one way, a core that touches nothing, a heart that is read in one sitting."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "samoloop"
# A room may import those before it, never one after it.
ROOMS = (
    "base",
    "core",
    "git",
    "config",
    "providers",
    "children",
    "worker",
    "checks",
    "api",
    "queue",
    "fleet",
    "demo",
    "ui",
)
MOST_ENTRIES = 14
IMPURE = {"subprocess", "socket", "select", "threading", "asyncio", "signal", "time", "urllib"}
HEART_LINES = 1500


def modules() -> Iterator[tuple[str, Path]]:
    """Dotted name and file of each module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


NAMES = dict(modules())


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a file imports: at the top, in functions, for types, and by a built name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):  # importlib and its like
            built = "".join(str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant))
            yield from ((node.lineno, name) for name in re.findall(r"samoloop(?:\.\w+)+", built))


def room_of(name: str) -> str | None:
    """The room of a module or of what is in it; None for the package itself and for what is no module."""
    parts = name.split(".")
    return parts[1] if parts[0] == "samoloop" and len(parts) > 1 and parts[1] in ROOMS else None


def test_the_package_is_a_list_that_one_takes_in_at_a_glance():
    entries = {path.name for path in PACKAGE.iterdir() if not path.name.startswith(("__pycache__", "py.typed"))}
    entries.discard("__init__.py")
    assert len(entries) <= MOST_ENTRIES
    assert entries <= {*ROOMS, "__main__.py"}, "a new room has its place in the order"


@pytest.mark.parametrize("name", NAMES)
def test_imports_run_one_way(name):
    room = room_of(name)
    if room is None:
        return
    for line, found in imported(NAMES[name]):
        other = room_of(found)
        if other is not None:
            assert ROOMS.index(other) <= ROOMS.index(room), f"{NAMES[name]}:{line} imports {found} from below"


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) == "core"])
def test_the_core_starts_nothing_waits_for_nothing_and_asks_nobody(name):
    found = {module.partition(".")[0] for _, module in imported(NAMES[name])}
    assert not found & IMPURE, f"{name} imports {found & IMPURE}"


def test_what_builds_names_of_modules_is_seen_too(tmp_path):
    """The eyes of this test: an import in a function, one for types, and one by a string."""
    file = tmp_path / "x.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from samoloop.ui import a\n"
        "def f():\n    import samoloop.api.b\n    import importlib\n    importlib.import_module('samoloop.queue.c')\n"
        "    importlib.import_module(f'samoloop.demo.{f}')\n"
    )
    assert {room_of(name) for _, name in imported(file)} == {None, "ui", "api", "queue", "demo"}


PRINTERS = {"print", "input", "click.echo", "click.secho", "click.echo_via_pager", "click.prompt", "click.confirm"}
STREAMS = re.compile(r"(^|[._])(std(out|err)|stream)\b.*\.write(lines)?$")
# who writes to a stream itself: the one way out, the two views of a worker, and the child, which speaks to its worker
WRITERS = {
    "samoloop.ui.terminal.output",
    "samoloop.ui.terminal.screen",
    "samoloop.ui.terminal.live_block",
    "samoloop.demo.child",
    "samoloop.demo.events",
}


def printed(path: Path) -> list[str]:
    """The calls of a file that write to standard output, to standard error or to a terminal."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    named = [(call.lineno, ast.unparse(call.func)) for call in calls]
    bare = [  # a function that prints, handed on
        (node.lineno, ast.unparse(node))
        for call in calls
        for node in (*call.args, *(word.value for word in call.keywords))
        if isinstance(node, ast.Attribute | ast.Name)
    ]
    return [f"{path.name}:{line} {name}" for line, name in [*named, *bare] if name in PRINTERS or STREAMS.search(name)]


def test_all_that_people_read_on_a_terminal_goes_one_way():
    assert [words for name, path in NAMES.items() if name not in WRITERS for words in printed(path)] == []


def test_what_prints_is_seen(tmp_path):
    """The eyes of this test."""
    file = tmp_path / "x.py"
    file.write_text(
        "print(1)\nclick.echo(x)\nf(click.echo)\nsys.stdout.buffer.write(b)\nself._stream.write(t)\nsay(1)\n"
    )
    assert [words.partition(" ")[2] for words in printed(file)] == [
        "print", "click.echo", "sys.stdout.buffer.write", "self._stream.write", "click.echo",
    ]  # fmt: skip


def heart() -> list[Path]:
    """The reading list of ARCHITECTURE.md, in its order."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.partition("## The heart")[2].partition("\n## ")[0]
    return [ROOT / name for name in re.findall(r"^\d+\. `(samoloop/[\w/]+\.py)`", section, re.MULTILINE)]


def test_the_heart_is_small_enough_to_read_in_one_sitting():
    files = heart()
    assert {"rules.py", "state.py", "loop.py", "iteration.py", "stations.py"} <= {path.name for path in files}
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= HEART_LINES


def test_the_picture_of_the_house_is_drawn_from_the_imports():
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_house", ROOT / "docs" / "make_house.py")
    assert spec and spec.loader
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    assert (ROOT / "docs" / "house.svg").read_text(encoding="utf-8") == drawing.picture(), "run docs/make_house.py"
