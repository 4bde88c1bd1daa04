"""Numbers as pictures: SVG without script or address, readable in dark and in light.

What a picture shows stands beside it as a table: it is for the eye alone.
"""

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from html import escape
from typing import Any

import pygal
from pygal.style import Style

from samoloop.api.figures import KEYS
from samoloop.api.stats import Row, Stats
from samoloop.base.printable import one_line
from samoloop.base.values import frozen
from samoloop.core.records import Ended, Record
from samoloop.ui.terminal.stats_text import by_name

sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]  # of maps

_WIDTH, _HEIGHT = 480, 260  # a phone shows it at three quarters, and its letters can be read
_LABEL = 24  # characters
_MOST_BARS = 12  # of what is no day; the rest is one
_DAYS, _WEEKS = 92, 730  # days that are shown one by one, and week by week; more are months
_LABELS = 6  # below the bars of days
_LABELS_OF: Mapping[str, Callable[[date], str]] = {
    "day": lambda day: f"{day:%d %b}",
    "week": lambda day: f"{day - timedelta(days=day.weekday()):%d %b %y}",
    "month": lambda day: f"{day:%b %y}",
}
_MOST_ITERATIONS = 60  # of a session, the last ones
_UNFIT = dict.fromkeys((0xFFFE, 0xFFFF), "\ufffd")  # for XML; `one_line` shows the others

# Each is told from the others, and has a contrast of 3 to both grounds of `page.css`.
_COLOURS = ("#3f7fd1", "#c7721a", "#2f8f5b", "#c4487a")
_DARK = (
    "@media (prefers-color-scheme: dark) {"
    ".pygal-chart .title, .pygal-chart .axis text, .pygal-chart .legend text, .pygal-chart .no_data"
    " {fill: #e3e8ef !important}"
    ".pygal-chart .axis .line, .pygal-chart .axis .guide.line {stroke: #728096 !important}}"
)
_INK, _LINE = "#1a2333", "#7c889b"


@frozen
class Bars:
    """What a picture shows: a bar for each label, made of the parts of each series."""

    title: str
    labels: tuple[str, ...]
    series: Mapping[str, tuple[float, ...]]


_WHAT: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {  # title, unit, and how each series is got from a row
    "cost": ("Cost", "USD", {"money": lambda row: row["cost_usd"], "virtual": lambda row: row["virtual_usd"]}),
    "iterations": ("Iterations", "", {"iterations": lambda row: row["iterations"]}),
    "time": (
        "Time",
        "hours",
        {
            "children at work": lambda row: row["worked_seconds"] / 3600,
            "waiting for people": lambda row: row["waited_seconds"] / 3600,
            "at limits": lambda row: row["limited_seconds"] / 3600,
        },
    ),
    "vetoes": ("Vetoes", "", {"vetoes": lambda row: row["vetoes"]}),
    "checks": (
        "Checks",
        "",
        {
            "passed at the first try": lambda row: row["checks_first_try"],
            "did not": lambda row: row["checks"] - row["checks_first_try"],
        },
    ),
}


def of_stats(stats: Stats, what: str, group: str) -> Bars:
    """The picture of one thing, such as `cost`, by `days` or another group."""
    title, unit, series = _WHAT[what]
    by, rows = _calendar(stats) if group == "days" else (group.removesuffix("s"), _largest(stats, group))
    labels, values = tuple(label for label, _ in rows), [row for _, row in rows]
    parts = {label: tuple(got(row) for row in values) for label, got in series.items()}
    seen = {label: numbers for label, numbers in parts.items() if any(numbers)}
    return Bars(f"{title}{f' in {unit}' if unit else ''} by {by}", labels, seen)


def of_session(history: Iterable[Record]) -> list[Bars]:
    """What one session's iterations cost, and how long they took."""
    costs: dict[int, list[float]] = {}
    phases: dict[str, list[float]] = {}
    for record in history:
        if isinstance(record, Ended):
            usage = record.outcome.usage
            for known in (costs.setdefault(record.iteration, [0.0, 0.0]), phases.setdefault(record.phase, [0.0, 0.0])):
                known[0] += usage.cost_usd or 0.0
                known[1] += record.outcome.seconds / 60
    by_iteration = dict(list(costs.items())[-_MOST_ITERATIONS:])
    found = []
    for place, (what, unit) in enumerate((("Cost", "USD"), ("Time", "minutes"))):
        for by, labels, rows in (
            ("phase", tuple(phases), phases.values()),
            ("iteration", tuple(map(str, by_iteration)), by_iteration.values()),
        ):
            numbers = tuple(row[place] for row in rows)
            if len(numbers) > 1 and any(numbers):
                found.append(Bars(f"{what} in {unit} by {by}", labels, {what.lower(): numbers}))
    return found


def figure(bars: Bars) -> str:
    """The picture with its numbers as a table, for a page that is one file."""
    heads = "".join(f'<th scope="col">{escape(_label(name))}</th>' for name in ("", *bars.series))
    rows = "".join(
        f'<tr><th scope="row">{escape(_label(label))}</th>'
        + "".join(f"<td>{_number(numbers[place])}</td>" for numbers in bars.series.values())
        + "</tr>"
        for place, label in enumerate(bars.labels)
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<figure>{svg(bars)}<details><summary>The numbers</summary>{table}</details></figure>"


def svg(bars: Bars) -> str:
    """The picture as one `<svg>` element."""
    many, marks = (
        len(bars.labels) > _MOST_BARS,
        _marks(max(map(sum, zip(*bars.series.values(), strict=True)), default=0)),
    )
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=_INK,
        foreground_strong=_INK,
        foreground_subtle=_LINE,
        guide_stroke_color=_LINE,
        major_guide_stroke_color=_LINE,
        colors=_COLOURS,
        opacity="1",
        font_family="system-ui, sans-serif",
        label_font_size=12,
        major_label_font_size=12,
        legend_font_size=13,
        title_font_size=15,
        no_data_font_size=20,
        transition="0s",
    )
    chart = pygal.StackedBar(
        style=style,
        css=["file://style.css", "file://graph.css", f"inline:{_DARK}"],
        js=(),
        width=_WIDTH,
        height=_HEIGHT,
        title=_fit(bars.title, 80),
        show_legend=len(bars.series) > 1,
        legend_at_bottom=True,
        legend_box_size=13,
        x_labels_major_every=max(-(-len(bars.labels) // _LABELS), 1) if many else None,
        show_minor_x_labels=not many,
        x_label_rotation=0 if many or len(bars.labels) <= 4 else 20,
        truncate_label=-1,
        y_labels=marks if bars.series else None,
        range=(0, marks[-1]),
        value_formatter=_number,
        disable_xml_declaration=True,
        no_data_text="nothing yet",
        spacing=8,
        margin=12,
    )
    chart.x_labels = [_label(label) for label in bars.labels]
    for name, numbers in bars.series.items():
        chart.add(_label(name), list(numbers))
    chart.add_xml_filter(_plain)
    return str(chart.render(is_unicode=True))


def _plain(root: Any) -> Any:
    """The picture without script, comments and what only scripts use; it says that it is one."""
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in ("script", "desc"):
                parent.remove(child)
    root.set("role", "img")
    return root


def _marks(top: float) -> list[float]:
    """Round numbers from nothing to what is highest, five or six at most."""
    least = 10.0 ** math.floor(math.log10(top / 5)) if top > 0 else 1.0
    step = next(least * factor for factor in (1, 2, 5, 10) if least * factor * 5 >= top)
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)] if top > 0 else [0, 1]


def _number(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _label(text: str) -> str:
    """Of a long path the end."""
    return _fit(text if len(text) <= _LABEL or "/" not in text else "…" + text[1 - _LABEL :], _LABEL)


def _fit(text: str, characters: int) -> str:
    return one_line(text, characters).translate(_UNFIT)


def _largest(stats: Stats, group: str) -> list[tuple[str, Row]]:
    """The rows of a group; the smallest of many as one."""
    rows = list((by_name(stats.projects) if group == "projects" else getattr(stats, group)).items())
    if len(rows) <= _MOST_BARS:
        return rows
    shown, others = rows[: _MOST_BARS - 1], rows[_MOST_BARS - 1 :]
    return [*shown, (f"{len(others)} others", _sum(row for _, row in others))]


def _calendar(stats: Stats) -> tuple[str, list[tuple[str, Row]]]:
    """Days, weeks or months, and all of them in the time that is looked at, also those without anything."""
    if not stats.days:
        return "day", []
    known = [date.fromisoformat(day) for day in (stats.since or min(stats.days), stats.until, max(stats.days))]
    first, last = min(known), max(known)
    count = (last - first).days + 1
    step = "day" if count <= _DAYS else "week" if count <= _WEEKS else "month"
    rows: dict[str, list[Row]] = {}
    for number in range(count):
        day = first + timedelta(days=number)
        found = stats.days.get(day.isoformat())
        rows.setdefault(_LABELS_OF[step](day), []).extend([found] if found else [])
    return step, [(label, _sum(parts)) for label, parts in rows.items()]


def _sum(rows: Iterable[Row]) -> Row:
    known = list(rows)
    return {key: sum(row[key] for row in known) for key in KEYS}
