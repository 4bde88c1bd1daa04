"""A list of tasks in a plan, as the backlog takes them. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from samoloop.base.values import frozen
from samoloop.core import backlog
from samoloop.core.backlog import Task

MOST = 50
_LONGEST_TITLE = 200
_ITEM = re.compile(r"[-*+]\s+\[[ xX]\]\s+(?:\d[\d.]*\s+)?[`*]{0,2}([^\s:`*]{1,100})[`*]{0,2}:\s*(\S.*)")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_FIELD = re.compile(r"\s+[-*+]\s+[*_]{0,2}(after|workflow|acceptance)[*_]{0,2}:[*_]{0,2}\s*(.*)", re.IGNORECASE)
_NONE = ("", "none", "-", "nothing", "default")
_NAMED = 5


@frozen
class Wanted:
    """One task of the list."""

    name: str
    text: str  # for the session
    after: tuple[str, ...] = ()
    workflow: str | None = None
    accepted: bool = False  # it says by what it is accepted

    @property
    def keys(self) -> dict[str, Any]:
        """What the front matter of its file says."""
        return {"after": self.after, "workflow": self.workflow}


def tasks(text: str) -> list[Wanted]:
    """Those of a plan, in its order; what stands indented below an item belongs to it."""
    found: list[Wanted] = []
    block: list[str] = []
    for line in [*text.splitlines(), "#"]:
        if block and line.strip() and not line[0].isspace():
            found.append(_task(block))
            block = []
        if block or _ITEM.fullmatch(line):
            block.append(line)
    return found


def _task(block: list[str]) -> Wanted:
    match = _ITEM.fullmatch(block[0])
    assert match
    fields: dict[str, str] = {}
    kept: list[str] = []
    for line in block[1:]:
        field = _FIELD.fullmatch(line)
        if field:
            fields[field[1].lower()] = field[2].strip(" `")
        if not field or field[1].lower() == "acceptance":
            kept.append(line)
    indent = min((len(line) - len(line.lstrip()) for line in kept if line.strip()), default=0)
    body = "\n".join(line[indent:].rstrip() for line in kept).strip("\n")
    after = tuple(word.strip(" `") for word in fields.get("after", "").split(","))
    workflow = fields.get("workflow", "").lower()
    return Wanted(
        name=match[1],
        text=f"{match[2][:_LONGEST_TITLE].strip()}\n\n{body}\n",
        after=tuple(dict.fromkeys(name for name in after if name.lower() not in _NONE)),
        workflow=None if workflow in _NONE else workflow,
        accepted=bool(fields.get("acceptance")),
    )


def faults(wanted: list[Wanted], workflows: Iterable[str], known: Iterable[str], taken: Mapping[str, str]) -> list[str]:
    """What keeps the list from becoming a backlog, a clause each; empty where nothing does.

    `known` are names that a task may wait for beside those of the list; `taken` the tasks that the backlog has, each
    with its text: the list may name one again only with the same one.
    """
    if not wanted:
        return ["it has no task; write each as `- [ ] <short-name>: <what becomes true>`"]
    if len(wanted) > MOST:
        return [f"it has {len(wanted)} tasks, and {MOST} are the most that a person can judge"]
    found: list[str] = []
    names = [task.name for task in wanted]
    there = {*names, *known, *taken}
    for task in wanted:
        if not _NAME.fullmatch(task.name):
            found.append(f"{task.name[:60]!r} is no name: small letters, digits and -")
        if names.count(task.name) > 1:
            found.append(f"{task.name} is there twice")
        if task.name in taken and taken[task.name] != task.text:
            found.append(f"the backlog has a task {task.name} already")
        if not task.accepted:
            found.append(f"{task.name} has no `Acceptance:`")
        if task.workflow and task.workflow not in workflows:
            found.append(f"{task.name} names the workflow {task.workflow[:60]!r}, and there is none")
        found += [f"{task.name} is after {name[:60]!r}, which is no task" for name in task.after if name not in there]
    graph = {task.name: Task(task.name, task.text, task.after) for task in wanted}
    around = next(iter(backlog.cycles(graph).values()), None)
    return list(dict.fromkeys([*found, *([f"it goes in a circle: {' → '.join(around)}"] if around else [])]))


def in_order(wanted: list[Wanted]) -> list[Wanted]:
    """The same, each after those that it waits for."""
    by_name = {task.name: task for task in wanted}
    return [by_name[name] for name in backlog.in_order({n: Task(n, t.text, t.after) for n, t in by_name.items()})]


def in_words(found: list[str]) -> str:
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(found[:_NAMED]) + more
