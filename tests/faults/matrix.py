"""The matrix as a Markdown table: rows are points and fault classes, columns are phases and gates."""

from collections import Counter, defaultdict

COLUMNS = (
    "init",
    "investigation",
    "requirements",
    "gate: answers",
    "planning",
    "gate: plan",
    "implementation",
    "testing",
    "quality",
    "done",
)


GROUPS = {
    "before": "killed before an effect on the disk",
    "after": "killed after an effect on the disk",
    "enospc": "no space left, at each write, rename and git command",
    "eio": "input/output error, at each of them",
    "forged": "killed while a gate opens, and a person acts before the next worker",
    "power cut": "the power fails, and what was not synced is gone",
    "rewind": "killed while going back",
    "child begun": "killed as the child begins",
    "child done": "killed when the child has acted and not signalled",
    "reboot": "everything killed, another boot",
}


def group(row: str) -> str:
    """The class of faults that a row belongs to."""
    first, colon, _ = row.partition(":")
    if first == "random":
        return f"killed at {row}"
    if first == "torn":
        return row
    if first == "every byte":
        return "cut at every byte, decided"
    return GROUPS.get(first, row if colon else "killed at a named point")


def summarized(results: list[dict]) -> list[dict]:
    """The same results with a row for each class of faults."""
    found = []
    for result in results:
        cells: Counter[tuple[str, str]] = Counter()
        for (row, column), count in result["cells"].items():
            cells[group(row), column] += count
        found.append({**result, "cells": cells})
    return found


def render(results: list[dict]) -> str:
    """How many faults hit where, and whether every case of the row went well."""
    cells: Counter[tuple[str, str]] = Counter()
    broken: dict[str, bool] = defaultdict(bool)
    for result in results:
        cells.update(result["cells"])
        for row, _ in result["cells"]:
            broken[row] |= bool(result["problems"])
    rows = list(dict.fromkeys(row for row, _ in cells))
    lines = [f"| fault | {' | '.join(COLUMNS)} | all |", "|---|" + "--:|" * (len(COLUMNS) + 1)]
    for row in sorted(rows):
        counts = [cells[row, column] for column in COLUMNS]
        verdict = " violated" if broken[row] else " ok"
        shown = " | ".join(str(count) if count else "" for count in counts)
        lines.append(f"| {row} | {shown} | {sum(counts) + cells[row, '']}{verdict} |")
    totals = [sum(count for (_, there), count in cells.items() if there == column) for column in COLUMNS]
    lines.append(f"| all | {' | '.join(map(str, totals))} | {sum(cells.values())} |")
    return "\n".join(lines)
