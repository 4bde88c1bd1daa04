"""`_overview.md`: the session's state in prose, for the next child and for people.

The child owns it but for three lines under `## Status`, which the worker puts right before each child.
"""

import re
from itertools import dropwhile

FILE_NAME = "_overview.md"
TASK_FILE = "_task.md"
_SHOWN_BYTES = 2000
_OWN = ("Phase", "Iteration", "Blocked")
_LINE = re.compile(r"\s*(?:[-*]\s+)?\**(Phase|Iteration|Blocked)\**:\**(.*)", re.IGNORECASE)


def skeleton(title: str, task: str, phase: str) -> str:
    """The file as the worker makes it at init."""
    quoted = "\n".join(f"> {line}".rstrip() for line in shortened(task).splitlines())
    return (
        f"# {title}\n\n## Task\n{quoted}\n\n"
        f"## Status\nPhase: {phase}\nIteration: 0\nBlocked: no\nLast Action: session created\nNext: {phase}\n\n"
        "## Flow Log\n\n## Files\n"
    )


def shortened(task: str) -> str:
    """A task, or its start with the name of the file that holds all of it."""
    shown = task.strip()
    if len(shown.encode()) > _SHOWN_BYTES:
        shown = shown.encode()[:_SHOWN_BYTES].decode("utf-8", "ignore") + f"\n…\nfull text: {TASK_FILE}"
    return shown


def with_worker_lines(text: str, *, phase: str, iteration: int, blocked: str) -> str:
    """`text` with the worker's three lines as they must be, whatever the child made of them."""
    values = {"Phase": phase, "Iteration": str(iteration), "Blocked": " ".join(blocked.split())[:200] or "no"}
    own = [f"{key}: {values[key]}" for key in _OWN]
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if _is_status(line)), None)
    if start is None:
        return "\n".join([*lines, "", "## Status", *own]) + "\n"
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("#")), len(lines))
    below = (line for line in lines[start + 1 : end] if not _LINE.match(line))
    rest = list(dropwhile(lambda line: not line.strip(), below))
    if end < len(lines) and (not rest or rest[-1].strip()):
        rest.append("")
    return "\n".join([*lines[: start + 1], *own, *rest, *lines[end:]]) + "\n"


def phase_line(text: str) -> str | None:
    """What the `Phase:` line under `## Status` says, without decoration; None where there is none.

    A last line that nothing ends may have been cut off, so it says nothing.
    """
    lines = text[: text.rfind("\n") + 1].splitlines()
    start = next((i for i, line in enumerate(lines) if _is_status(line)), None)
    if start is None:
        return None
    for line in lines[start + 1 :]:
        if line.startswith("#"):
            return None
        match = _LINE.match(line)
        if match and match[1].lower() == "phase":
            return match[2].strip().strip("*_` ").lower()
    return None


def _is_status(line: str) -> bool:
    return re.match(r"##\s+Status\s*$", line, re.IGNORECASE) is not None
