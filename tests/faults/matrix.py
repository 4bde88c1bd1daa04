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


def render(results: list[dict]) -> str:
    """How many faults hit where; a cell with a violation carries an exclamation mark."""
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
