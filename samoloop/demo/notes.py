"""The texts of a session, read and changed as a child does it: prompt, overview, plan. Text in, text out."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from samoloop.base.values import frozen

OVERVIEW, TASK, APPROVAL = "_overview.md", "_task.md", "_approval.md"
_BOX = re.compile(r"^- \[( |x)\] (\d+\.\d+) (.*)$", re.MULTILINE)


@frozen
class Facts:
    """What the prompt says of this visit."""

    next_phases: Sequence[str]  # that a child may continue with, apart from its own
    gate: str | None  # what has to be passed before the phase can be left
    today: str  # the first part of document names

    @classmethod
    def parse(cls, prompt: str, phase: str) -> "Facts":
        line = re.search(r"^- Allowed next phases: (.*)$", prompt, re.MULTILINE)
        words = line[1] if line else ""
        gate = re.search(r"\(others only after (\w+)\)", words)
        names = re.findall(r"[a-z][a-z0-9-]*", re.sub(r"\(.*\)", "", words))
        today = re.search(r"`(\d\d-\d\d-\d{4})-", prompt)
        return cls(
            [name for name in names if name != phase],
            gate[1] if gate else None,
            today[1] if today else f"{datetime.now().astimezone():%m-%d-%H%M}",
        )


@frozen
class Box:
    """One item of a plan."""

    number: str  # 1.2
    title: str
    ticked: bool


def boxes(plan: str) -> list[Box]:
    """The items of a plan, in order."""
    return [Box(number, title, mark == "x") for mark, number, title in _BOX.findall(plan)]


def ticked(plan: str, number: str, result: str) -> str:
    """The plan with one item ticked, and what came of it below."""
    lines = plan.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"- [ ] {number} "))
    lines[at] = lines[at].replace("- [ ]", "- [x]", 1)
    end = next((i for i in range(at + 1, len(lines)) if not lines[i].startswith("  ")), len(lines))
    lines.insert(end, f"  - Result: {result}")
    return "\n".join(lines) + "\n"


def approval_field(text: str, key: str) -> str:
    """One field of `_approval.md`, without the hints in it; `Comments` is the rest of the file."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    if key == "Comments":
        return text.partition("\nComments:")[2].strip()
    match = re.search(rf"^{key}: *(.*)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def updated(overview: str, done: str, following: str, entry: str, files: Sequence[str]) -> str:
    """The overview after a visit: last action, what comes next, a line in the flow log, new documents."""
    text = re.sub(r"^Last Action:.*$", lambda match: f"Last Action: {done}", overview, count=1, flags=re.MULTILINE)
    text = re.sub(r"^Next:.*$", lambda match: f"Next: {following}", text, count=1, flags=re.MULTILINE)
    text = _with_lines(text, "Flow Log", [entry])
    return _with_lines(text, "Files", [f"- {name}" for name in files if f"- {name}" not in text])


def _with_lines(text: str, section: str, added: Sequence[str]) -> str:
    """`text` with lines at the end of one of its sections, which is made where it is missing."""
    if not added:
        return text
    lines = text.splitlines()
    if f"## {section}" not in lines:
        lines += ["", f"## {section}"]
    start = lines.index(f"## {section}") + 1
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("## ")), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    gap = [""] if end < len(lines) and lines[end].startswith("## ") else []
    return "\n".join([*lines[:end], *added, *gap, *lines[end:]]) + "\n"


def title_of(task: str) -> str:
    """The first line of the task."""
    return next((line.strip(" #>\t.") for line in task.splitlines() if line.strip(" #>\t.")), "the task")


def free_name(folder: Path, stem: str) -> str:
    """`stem.md`, or with a number where that is taken."""
    names = (f"{stem}.md" if n == 1 else f"{stem}-{n}.md" for n in range(1, 1000))
    return next(name for name in names if not (folder / name).exists())


def signal_text(fields: Mapping[str, object]) -> str:
    return json.dumps(fields) + "\n"
