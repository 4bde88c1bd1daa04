"""A session's report as one static HTML file: to mail or to keep, with no server and nothing that it loads."""

import re
from collections.abc import Iterator, Sequence
from html import escape

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2b45}"
    "pre{background:#f3f6fb;padding:1rem;overflow:auto}code{background:#f3f6fb}pre code{background:none}"
    "table{border-collapse:collapse}td,th{border:1px solid #c6d2e6;padding:.3rem .6rem;text-align:left}"
    "blockquote{border-left:4px solid #c6d2e6;margin-left:0;padding-left:1rem;color:#444}"
    "figure{margin:1rem 0}svg{max-width:100%;height:auto}:root{color-scheme:light dark}"
    "@media(prefers-color-scheme:dark){body{color:#e3e8ef;background:#11151b}pre,code{background:#1a2029}"
    "td,th,blockquote{border-color:#46536a}blockquote{color:#a3aebf}a{color:#8db5ff}}"
)
_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([\w.-]+)\]\(([\w.-]+)\)")
_PHASES = "<h2>Phases</h2>"
_RULE = re.compile(r"\|[-|\s:]+\|")


def page(report: str, title: str, figures: Sequence[str] = ()) -> str:
    """The report, which is Markdown of the few kinds that it is written in, as a page of its own.

    `figures` are HTML: pictures of what the table of phases says, to be shown below it.
    """
    blocks = list(_blocks(report.splitlines()))
    place = blocks.index(_PHASES) + 2 if _PHASES in blocks else len(blocks)
    body = "\n".join([*blocks[:place], *figures, *blocks[place:]])
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n{body}\n'
        "</body></html>\n"
    )


def _blocks(lines: list[str]) -> Iterator[str]:
    place = 0
    while place < len(lines):
        line = lines[place]
        end = place + 1
        if ticks := re.match(r"`{3,}", line):
            while end < len(lines) and lines[end] != ticks[0]:
                end += 1
            yield f"<pre><code>{escape(chr(10).join(lines[place + 1 : end]))}</code></pre>"
            end += 1
        elif heading := re.match(r"(#{1,3}) (.*)", line):
            level = len(heading[1])
            yield f"<h{level}>{_spans(heading[2])}</h{level}>"
        elif line.startswith(("- ", "  - ", ">", "|")):
            start = line.lstrip()[0]
            while end < len(lines) and lines[end].lstrip().startswith(start):
                end += 1
            yield {"-": _list, ">": _quote, "|": _table}[start](lines[place:end])
        elif line.strip():
            yield f"<p>{_spans(line)}</p>"
        place = end


def _list(lines: list[str]) -> str:
    items = (f"<li{_deeper(line)}>{_spans(line.lstrip()[2:])}</li>" for line in lines)
    return f"<ul>{''.join(items)}</ul>"


def _deeper(line: str) -> str:
    return ' style="margin-left:1.5rem"' if line.startswith(" ") else ""


def _quote(lines: list[str]) -> str:
    return f"<blockquote>{'<br>'.join(_spans(line[1:].strip()) for line in lines)}</blockquote>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if not _RULE.fullmatch(line)]
    made = (
        "<tr>" + "".join(f"<{kind}>{_spans(cell)}</{kind}>" for cell in row) + "</tr>"
        for kind, row in ((("td", row) if number else ("th", row)) for number, row in enumerate(rows))
    )
    return f"<table>{''.join(made)}</table>"


def _spans(text: str) -> str:
    """Code, bold words and links to files beside the report; all else is plain text."""
    made, place = "", 0
    for match in _SPAN.finditer(text):
        made += escape(text[place : match.start()])
        code, bold, words, target = match.groups()
        if code is not None:
            made += f"<code>{escape(code)}</code>"
        elif bold is not None:
            made += f"<strong>{escape(bold)}</strong>"
        else:
            made += f'<a href="{escape(target)}">{escape(words)}</a>'
        place = match.end()
    return made + escape(text[place:])
