"""Files in a child's reach are opened, written, moved and removed by the functions that hold the rules alone.

A child can put a link, a pipe or a folder in the place of any file that it can name. The rules for that are in
`base/files.py` and in the few functions below, each with the reason why it may act by itself.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import samoloop

ROOT = Path(samoloop.__file__).parent
OPENING = {"open", "fdopen", "read_text", "read_bytes", "write_text", "write_bytes", "touch"}
MOVING = {"unlink", "remove", "rename", "replace", "move", "rmtree", "copy", "copy2", "copyfile", "copytree"}
RULES = "base/files.py"
PLAYS = "demo/"  # in a project of its own that it makes and throws away, with children of its own
KERNEL = "the kernel's file, under a name that nobody can replace"
PACKAGE = "travels with the package"
EXCLUSIVE = "made anew, under a name that must not be there (O_EXCL)"
OWN = "what it has just made"
NO_LINK = "opened without following a link and without waiting; what it finds is looked at"
PERSON = "the person names it; it may well be a pipe"
FIXED = "a fixed name; unlink removes a link itself, and what else is there is an error that is said"
# By module and function: why it may.
ALLOWED = {
    ("api/backlog.py", "_drop"): "a rename of the person's file, or of a link itself, to a name that is free",
    ("api/cache.py", "_open"): "the person's own folder, without following a link",
    ("api/doctor.py", "file_system"): KERNEL,
    ("api/skill_install.py", "take_away"): "the person's skills; only a file goes, a folder of theirs never",
    ("api/skill_install.py", "_remove_files"): "the person's skills; only a file goes, a folder of theirs never",
    ("base/bell.py", "hang"): NO_LINK,
    ("base/bell.py", "ring"): NO_LINK,
    ("base/clock.py", "local_zone"): "the machine's own zone",
    ("base/locks.py", "is_held"): NO_LINK,
    ("base/locks.py", "_try"): NO_LINK,
    ("base/locks.py", "_locks"): KERNEL,
    ("base/proc.py", "read"): KERNEL,
    ("checks/copies.py", "archive"): "below a new temporary folder",
    ("checks/copies.py", "copied"): "copies a link as a link",
    ("checks/copies.py", "keep"): "before any child, of a worktree; links are copied as links",
    (
        "checks/copies.py",
        "moved",
    ): "a copy that is thrown away; links are copied as links, and what is no file is left out",
    ("children/processes.py", "boot_id"): KERNEL,
    ("children/tail.py", "_open"): KERNEL,
    ("children/warm.py", "fork"): "a folder, only to stand in it, as a process started by exec would",
    ("children/wrapper.py", "start"): OWN,
    ("children/wrapper.py", "_create"): EXCLUSIVE,
    ("config/prices.py", "listed"): PACKAGE,
    ("core/control.py", "move"): "a rename of the control folder, whose place was looked at",
    (
        "core/control.py",
        "take_up",
    ): "copies links as links and leaves out what is no file; the folder is ours from then on",
    ("core/gates/folder.py", "_open_wake"): NO_LINK,
    ("core/journal.py", "append"): NO_LINK,
    ("core/roots.py", "_seen"): NO_LINK,
    ("core/session.py", "folder_called"): "a rename of the new session's folder, before any child",
    ("config/presets.py", "load"): PACKAGE,
    ("core/signals.py", "schema"): PACKAGE,
    ("fleet/postgres.py", "remove"): OWN,
    ("fleet/postgres.py", "_make"): OWN,
    ("fleet/postgres.py", "_is_up"): OWN,
    ("fleet/postgres.py", "_programs"): "from a package into a new temporary folder",
    ("fleet/schema.py", "make"): PACKAGE,
    ("git/calls.py", "remove_dead_locks"): FIXED,
    ("git/included.py", "_copy"): "into a worktree in which no child has worked; links are copied as links",
    ("git/mending.py", "remove_odd"): FIXED,
    ("git/pipes.py", "remove_pipes"): "only a pipe goes",
    ("git/pipes.py", "_release"): "only a pipe goes, and none is waited for",
    ("git/mending.py", "mend_link"): "a repository of the child's is moved aside, never deleted",
    ("git/mending.py", "remove_stale_locks"): FIXED,
    ("git/objects.py", "_write"): EXCLUSIVE,
    ("git/restore.py", "_move_aside"): "the child's files are moved into the logs, never deleted",
    ("git/worktree.py", "_index_copy"): "refuses what is no file",
    ("providers/program.py", "link"): "only a link is removed",
    ("queue/service.py", "uninstall"): "the person's unit file, which `install` wrote",
    ("ui/cli/completion.py", "_add_line"): "the start file of the person's shell, which may be a link of theirs",
    ("ui/cli/failures.py", "keep"): OWN,
    ("ui/cli/run.py", "_read_file"): PERSON,
    ("ui/terminal/live_block.py", "abandon"): KERNEL,
    ("worker/iteration.py", "take_inbox"): "a rename within the control folder to a name that nobody can guess",
    ("worker/relay_starter.py", "start"): "the bot's own folder, without following a link",
}


def calls(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    """Each call that opens, writes, moves or removes a file: the function around it, the line, and what is called."""

    def walk(node: ast.AST, around: str) -> Iterator[tuple[str, int, str]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            around = node.name
        if isinstance(node, ast.Call) and (name := acting(node)):
            yield around, node.lineno, name
        for inner in ast.iter_child_nodes(node):
            yield from walk(inner, around)

    yield from walk(tree, "")


def acting(call: ast.Call) -> str:
    """What is called, where it acts on a file by its path; else empty."""
    match call.func:
        case ast.Name("open"):
            return "open"
        case ast.Attribute(ast.Name("os" | "shutil" as module), name) if name in OPENING | MOVING:
            return f"{module}.{name}"
        case ast.Attribute(ast.Name(owner), _) if owner[0].isupper() or owner == "gates":
            return ""  # a function of ours, such as Worktree.open
        case ast.Attribute(_, "replace") if len(call.args) != 1 or call.keywords:
            return ""  # of a text, or of a dataclass
        case ast.Attribute(_, "remove" | "move" | "copy" | "copytree"):
            return ""  # of a list, or a function of ours
        case ast.Attribute(_, name) if name in OPENING | MOVING:
            return f".{name}"
    return ""


def found() -> dict[tuple[str, str], list[str]]:
    """By module and function."""
    every: dict[tuple[str, str], list[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        module = path.relative_to(ROOT).as_posix()
        for function, line, name in calls(ast.parse(path.read_text())):
            every.setdefault((module, function), []).append(f"{module}:{line} {name} in {function}")
    return every


def test_nothing_in_a_child_s_reach_is_touched_but_by_the_functions_that_hold_the_rules() -> None:
    every = {place: said for place, said in found().items() if place[0] != RULES and not place[0].startswith(PLAYS)}
    unknown = [line for place, lines in every.items() if place not in ALLOWED for line in lines]
    assert not unknown, "use base/files.py, or say here why not:\n" + "\n".join(unknown)
    assert not ALLOWED.keys() - every.keys(), "no longer needed"


@pytest.mark.parametrize(
    "code",
    [
        *("open(path)", "path.open()", "path.read_text()", "path.write_bytes(data)", "path.unlink(missing_ok=True)"),
        *("path.rename(other)", "path.replace(other)", "os.open(path, 0)", "os.remove(path)", "shutil.rmtree(path)"),
    ],
)
def test_such_a_call_is_found(code: str) -> None:
    assert list(calls(ast.parse(f"def f():\n    {code}")))


@pytest.mark.parametrize(
    "code", ["text.replace(a, b)", "replace(state, a=1)", "gates.read_text(path)", "names.remove(a)"]
)
def test_another_call_is_none(code: str) -> None:
    assert not list(calls(ast.parse(code)))
