"""The report as one HTML file: all of it, and nothing that a stranger wrote acts on whoever opens it."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from kit import samoloop, scripted_project

from samoloop.api.report_page import page

REPORT = """# Add <b>login</b>

**Done. pytest green**

> All **good**.
> <script>alert(1)</script>

- Session: `/a<b`
  - deeper

| phase | time |
|---|---|
| work | 1m |

````
a <pre> & ```
- no list
````

- [11-21-a.md](11-21-a.md) and [x](javascript:alert(1))
"""


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_report_becomes_a_page_that_loads_nothing() -> None:
    tags = Tags()
    tags.feed(page(REPORT, "Add <b>login</b>"))
    assert not {"script", "b", "img", "iframe", "link"} & set(tags.seen)
    for tag in ("h1", "strong", "blockquote", "ul", "table", "th", "td", "pre", "code"):
        assert tag in tags.seen
    for words in ("Add <b>login</b>", "<script>alert(1)</script>", "/a<b", "a <pre> & ```\n- no list", "javascript:"):
        assert words in tags.words
    assert tags.seen.count("a") == 1


@pytest.mark.parametrize("text", ["", "```", "|", "> ", "- ", "|---|", "#", "**", "`", "````\n```", "| a |\n| b | c |"])
def test_a_page_is_made_of_whatever_stands_there(text: str) -> None:
    assert page(text, "x").endswith("</body></html>\n")


def test_the_command_prints_it_and_writes_it(tmp_path: Path) -> None:
    root = scripted_project(tmp_path, """signal '{"status": "done", "summary": "all <good>"}'""")
    assert samoloop(root, "run", "Do it", "--session", "x", "--workflow", "exec").returncode == 0
    shown = samoloop(root, "report", "x")
    kept = next((root / "_sessions").glob("*-x")) / "_report.md"
    assert shown.returncode == 0 and shown.stdout == kept.read_text()
    assert "**Done. Nothing in the project was changed**" in shown.stdout and "git merge" not in shown.stdout
    assert samoloop(root, "report", "x", "--html", "x.html").returncode == 0
    assert "all &lt;good&gt;" in (root / "x.html").read_text()
