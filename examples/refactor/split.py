"""Cuts definitions out of a module into others: text in, texts out."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A module to be made."""

    name: str
    docstring: str
    names: Sequence[str]  # what it is to define, in the order of the source


@dataclass(frozen=True)
class Statement:
    """One statement at the top of a module, with the comments right above it."""

    names: frozenset[str]  # that it defines
    uses: frozenset[str]
    text: str
    block: bool  # a class or a function, set off by blank lines


def names_of(source: str) -> list[str]:
    """The public names that a module defines, imports from its own package among them."""
    own = [name for statement in statements(source) for name in sorted(statement.names)]
    given = [alias for alias, line in imports(source).items() if line.startswith("from invoicing.")]
    return sorted(name for name in (*own, *given) if not name.startswith("_"))


def split(package: str, source: str, parts: Iterable[Part]) -> dict[str, str]:
    """`source`, the package's `__init__`, without the parts, and each part by its path.

    Whatever could be imported from the package before can be imported from it afterwards.
    """
    public = names_of(source)
    known = imports(source)
    rest = statements(source)
    made = {}
    for part in parts:
        moved = [statement for statement in rest if statement.names & set(part.names)]
        rest = [statement for statement in rest if statement not in moved]
        made[f"{package}/{part.name}.py"] = module(part.docstring, moved, known)
        known |= {name: f"from {package}.{part.name} import {name}" for item in moved for name in item.names}
    exported = {name: known[name] for name in public if name in known}
    head = ast.get_docstring(ast.parse(source), clean=False) or ""
    every = "".join(f'    "{name}",\n' for name in public)
    listed = Statement(frozenset(), frozenset(exported), f"__all__ = [\n{every}]", block=False)
    made[f"{package}/__init__.py"] = module(head, [listed, *rest], known)
    return made


def module(docstring: str, body: Sequence[Statement], known: Mapping[str, str]) -> str:
    """The text of a module with the imports that its body needs."""
    own = {name for statement in body for name in statement.names}
    used = {name for statement in body for name in statement.uses} - own
    lines = [known[name] for name in sorted(used) if name in known]
    text = f'"""{docstring}"""\n'
    standard, package = (
        [line for line in lines if "invoicing" not in line],
        [line for line in lines if "invoicing" in line],
    )
    for group in (standard, package):
        if group:
            text += "\n" + "\n".join(joined(group)) + "\n"
    after_block = False
    for position, statement in enumerate(body):
        apart = after_block or statement.block
        text += "\n\n" if apart else "" if position else "\n"
        text += statement.text + "\n"
        after_block = statement.block
    return text


def joined(lines: Sequence[str]) -> list[str]:
    """Import lines, one a module, in order."""
    plain = sorted({line for line in lines if line.startswith("import ")})
    names: dict[str, list[str]] = {}
    for line in lines:
        match = re.fullmatch(r"from (\S+) import (\w+)", line)
        if match:
            names.setdefault(match[1], []).append(match[2])
    result = []
    for origin in sorted(names):
        ordered = sorted(set(names[origin]), key=lambda name: (not name.isupper(), name[0].islower(), name))
        line = f"from {origin} import {', '.join(ordered)}"
        if len(line) > 120:
            line = f"from {origin} import (\n" + "".join(f"    {name},\n" for name in ordered) + ")"
        result.append(line)
    return [*plain, *result]


def imports(source: str) -> dict[str, str]:
    """Each imported name, and a line that imports it alone."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            found |= {alias.name: f"import {alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name: f"from {node.module} import {alias.name}" for alias in node.names}
    return found


def statements(source: str) -> list[Statement]:
    """What a module defines, in order; headings of its sections and `__all__` are left out."""
    lines = source.splitlines()
    found = []
    for node in ast.parse(source).body:
        names = defined(node)
        if not names or names == {"__all__"}:
            continue
        decorators = getattr(node, "decorator_list", [])
        start = min([node.lineno, *(item.lineno for item in decorators)]) - 1
        while start and lines[start - 1].startswith("#") and not lines[start - 1].startswith("# ---"):
            start -= 1
        used = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
        block = isinstance(node, ast.ClassDef | ast.FunctionDef)
        found.append(Statement(frozenset(names), frozenset(used), "\n".join(lines[start : node.end_lineno]), block))
    return found


def defined(node: ast.stmt) -> set[str]:
    """The names that a statement at the top of a module gives a meaning to."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}
