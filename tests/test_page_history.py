"""Looking back on the page: search, numbers, and pictures that are for the eye alone."""

import os
import re
import sqlite3
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest
from browser import Browser
from kit import samoloop, scripted_project, until
from records import T0, at, closed, created, ended, event, opened, prepared, read, started, waited

from samoloop.api import cache
from samoloop.api.figures import Entry, Figures
from samoloop.api.report_page import page
from samoloop.api.stats import Stats, summed
from samoloop.api.stats import gather as stats_gather
from samoloop.base.clock import UTC
from samoloop.config.projects import register
from samoloop.core.control import place_of
from samoloop.core.journal import Journal
from samoloop.core.records import Record
from samoloop.core.session import Session
from samoloop.ui.web import charts
from samoloop.ui.web.pages import history
from samoloop.ui.web.site import url_of

NASTY = "\x00\x1b]0;x\x07\ufffe\"'&<script>alert(1)</script>"
SPANS = ("7", "30", "90", "365", "all")


@pytest.fixture
def ann(monkeypatch) -> Browser:
    """One who waits until all that is new can be found."""
    monkeypatch.setattr(history, "_PATIENCE_SECONDS", 30.0)
    return Browser(os.environ, "Ann")


def lay(root: Path, name: str = "26-11-21-birds", **documents: str) -> Session:
    usage = {"cost_usd": 0.5, "input_tokens": 3}
    judged = read({"event": "checks.judged", "at": at(6.5), "check": "pytest", "verdict": "green", "tree": "t"})
    session = journaled(
        root,
        name,
        *waited(1, "ask", "qa_answers"),
        opened(1, "ask", "qa_answers", questions=["Q1"]),
        closed("qa_answers", "answered", answers={"Q1": {"title": "Which bird?", "answer": "the kingfisher"}}),
        started(2, "plan", minutes=6),
        judged,
        ended(2, "plan", {"kind": "done", "summary": "Cormorants nest"}, minutes=7, usage=usage),
        event("noted", 8, text="x"),
    )
    folder, control = session.dir, session.control
    (control / "_task.md").write_text("Count the herons at the lake")
    log = '{"type": "assistant", "message": {"content": [{"type": "text", "text": "an avocet"}]}}\n'
    (control / "_logs" / "001-ask.jsonl").write_text(log)
    for document, text in documents.items():
        (folder / f"11-21-0900-{document}-x.md").write_text(text)
    return session


def journaled(root: Path, name: str, *records: Record) -> Session:
    folder = root / "_sessions" / name
    folder.mkdir(parents=True)
    control = place_of(folder)
    (control / "_logs").mkdir(parents=True)
    journal = Journal(control / "_history.jsonl")
    for record in (created(root=str(root), session=name, title="Count the herons"), prepared("ask"), *records):
        journal.append(record)
    (folder / "_history.jsonl").symlink_to(journal.path)
    return Session(folder)


# --- search ---------------------------------------------------------------------------------------------------------


def test_each_place_leads_to_the_page_that_shows_it(root, ann):
    session = lay(root, dive="a dunlin")
    (session.dir / "_overview.md").write_text("a spoonbill")
    address = url_of(session)
    for words, url in (
        ("dunlin", f"{address}/document/11-21-0900-dive-x.md"),
        ("spoonbill", f"{address}/document/_overview.md"),
        ("avocet", f"{address}/log/1"),
        ("kingfisher", address),
        ("herons lake", address),
    ):
        found = ann.client.get(f"/search?q={words}").text
        assert f'<a href="{url}">birds</a>' in found, words
        assert "<mark>" in found and ann.client.get(url).status_code == 200


def test_words_of_a_stranger_and_of_a_person_only_show(root, ann):
    lay(root, dive=f"a dunlin {NASTY}")
    found = ann.client.get("/search", params={"q": f"dunlin {NASTY}"}).text
    assert "<script>alert" not in found and "&lt;script&gt;" in found
    assert "<mark>dunlin</mark>" in found and "\x1b" not in found and "\x00" not in found


def test_without_words_or_without_a_place_it_says_what_helps(root, ann):
    lay(root)
    assert "All words have to stand in one place" in ann.client.get("/search").text
    assert "Nothing is found" in ann.client.get("/search?q=nightjar").text
    assert "Nothing is found" in ann.client.get("/search", params={"q": '"* AND NEAR('}).text


def test_the_newest_first_more_of_them_and_one_project(root, ann, tmp_path):
    for number in range(25):
        lay(root, f"26-11-21-s{number:02d}", dive="a dunlin")
    found = ann.client.get("/search?q=dunlin&order=newest").text
    assert found.count("<mark>dunlin</mark>") == 20
    [more] = re.findall(r'href="(/search\?[^"]*page=2)"', found)
    second = ann.open(more.replace("&amp;", "&"))
    assert second.count("<mark>dunlin</mark>") == 5 and 'start="21"' in second
    assert ann.client.get(f"/search?q=dunlin&project={root}&page=99999").status_code == 200
    refused = ann.client.get("/search?q=dunlin&project=nowhere")
    assert refused.status_code == 409 and "there is no project" in refused.text


def test_the_project_that_the_page_was_started_in_is_looked_back_on_too(tmp_path):
    here = tmp_path / "here"
    lay(here, dive="a dunlin")
    ann = Browser(os.environ, "Ann", here=here)
    for _ in range(2):
        assert "<mark>dunlin</mark>" in ann.open("/search?q=dunlin")
        assert "<mark>dunlin</mark>" in ann.open(f"/search?q=dunlin&project={here}")
    assert "1 done" in ann.open("/stats?since=all") and "0.50 USD" in ann.open(f"/stats?since=all&project={here}")


def test_an_index_that_is_locked_is_said_and_all_else_works(root, ann, monkeypatch):
    lay(root)
    assert "<mark>" in ann.client.get("/search?q=herons").text
    monkeypatch.setattr(cache, "BUSY_SECONDS", 0.05)
    with sqlite3.connect(Path(os.environ["HOME"]) / ".local/state/samoloop/search.db", isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        found = ann.client.get("/search?q=herons")
        assert found.status_code == 200 and "another program keeps" in found.text
        assert ann.client.get("/stats").status_code == 200 and ann.client.get("/").status_code == 200
        db.execute("ROLLBACK")


# --- numbers --------------------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_command(root, ann):
    lay(root)
    found = ann.client.get("/stats?since=all").text
    for words in ("0.50 USD", "1 of 1 (100 %)", "1 done", '<th scope="row">plan</th>', "2m 00s for people"):
        assert words in found
    for picture in re.findall(r'<img src="([^"]+)"', found):
        shown = ann.client.get(picture.replace("&amp;", "&"))
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/svg+xml")
        assert "style-src 'unsafe-inline'" in shown.headers["content-security-policy"]
    assert re.search(r'<img [^>]*alt="Cost in USD, day by day', found)


def test_the_table_has_the_time_at_limits_that_its_picture_shows(root, ann):
    limited = {"kind": "limited", "phase": "ask", "not_before": T0 + 900}
    journaled(root, "26-11-21-x", started(1, "ask"), ended(1, "ask", limited), started(1, "ask", 2, minutes=15))
    found = ann.open("/stats?since=all")
    days = found[found.index('<section aria-labelledby="days">') :]
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', days[: days.index("</thead>")])
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", days[days.index("<tbody>") : days.index("</tr>\n</tbody>")])
    assert dict(zip(heads, cells, strict=True))["At limits"] == "12m 00s"


def test_a_disk_that_hangs_holds_up_one_who_asks_and_no_more(root, ann, monkeypatch):
    lay(root)
    goes_on = threading.Event()
    monkeypatch.setattr(history, "_SUM_SECONDS", 0.05)
    monkeypatch.setattr(history.stats, "gather", lambda *given: (goes_on.wait(30), real(*given))[1])
    real = stats_gather
    first: list[int] = []
    asks = threading.Thread(target=lambda: first.append(ann.client.get("/stats").status_code))
    asks.start()
    until(ann.client.app.state.past._turn.locked)
    second = ann.client.get("/stats")
    assert second.status_code == 409 and "does not answer" in second.text
    goes_on.set()
    asks.join(30)
    assert first == [200]


def test_projects_whose_folders_have_one_name_are_called_by_their_paths(root, ann, tmp_path):
    other = tmp_path / "a-folder-of-a-long-name" / "shop"
    other.mkdir(parents=True)
    register(other, os.environ)
    lay(root, dive="a dunlin")
    lay(other, "26-11-22-geese", dive="a dunlin")
    found, numbers = ann.open("/search?q=dunlin"), ann.open("/stats?since=all")
    for path in (root, other):
        assert f" · {path} · " in found and f">{path}</option>" in found
        assert f'<th scope="row">{path}</th>' in numbers and f">{path}</option>" in numbers
    picture = ann.open("/chart/cost-projects.svg?since=all")
    assert {f"…{str(path)[-23:]}" for path in (root, other)} <= set(re.findall(r">([^<]+)</text>", picture))


def test_numbers_of_nothing_of_a_strange_span_and_of_no_project(root, ann):
    assert "No session did anything" in ann.client.get("/stats").text
    lay(root)
    assert ann.client.get("/stats?since=9e9&project=").status_code == 200
    assert ann.client.get("/stats?project=~nobody").status_code == 409
    assert ann.client.get("/chart/cost-days.svg?since=-1").status_code == 200
    for name in ("nothing", "cost-nothing", "days", "../x"):
        assert ann.client.get(f"/chart/{name}.svg").status_code == 404


# --- pictures -------------------------------------------------------------------------------------------------------


def sums(*entries: Entry, days: int | None = None) -> Stats:
    now = 1_795_255_200.0
    return summed([Figures("/p", NASTY, "done", now, None, entries)], days, now, UTC)


def many(count: int, step: float) -> list[Entry]:
    counts = {"iterations": 1, "cost_usd": 0.5, "worked_seconds": 60, "vetoes": 1, "checks": 1}
    return [Entry(1_795_255_200.0 - n * step, f"{NASTY}{n % 30}", "claude", counts) for n in range(count)]


@pytest.mark.parametrize(("what", "group"), [(what, by) for by, whats in history.PICTURES.items() for what in whats])
def test_a_picture_loads_nothing_runs_nothing_and_only_shows(what, group):
    for stats in (sums(), sums(*many(40, 86400)), sums(*many(3, 86400), days=7)):
        made = charts.svg(charts.of_stats(stats, what, group))
        root = ElementTree.fromstring(made)
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "defs", "style", "title", "g", "rect", "path", "text", "line", "circle", "tspan"}
        assert re.findall(r"https?://[^\"' ]+", made) == ["http://www.w3.org/2000/svg"]
        assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or "href" in key]
        assert "@import" not in made and re.findall(r"url\((?!#)", made) == []
        assert "@media (prefers-color-scheme:dark){.pygal-chart .title,.pygal-chart" in made


@pytest.mark.parametrize(("count", "step", "by"), [(90, 86400, "day"), (60, 864000, "week"), (60, 2_592_000, "month")])
def test_a_long_time_is_shown_in_weeks_or_months(count, step, by):
    bars = charts.of_stats(sums(*many(count, step)), "iterations", "days")
    assert bars.title == f"Iterations by {by}" and len(bars.labels) <= 110
    assert sum(bars.series["iterations"]) == count


@pytest.mark.parametrize(
    ("top", "marks"),
    [(0, [0, 1]), (1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (7, [0, 2, 4, 6, 8]), (330, [0, 100, 200, 300, 400])],
)
def test_the_marks_beside_a_picture_are_round_numbers(top, marks):
    assert charts._marks(top) == pytest.approx(marks)


def test_days_without_anything_are_shown_too_and_the_least_of_many_as_one():
    bars = charts.of_stats(sums(*many(3, 2 * 86400), days=7), "iterations", "days")
    assert bars.series["iterations"] == (0, 0, 1, 0, 1, 0, 1)
    bars = charts.of_stats(sums(*many(30, 60)), "cost", "phases")
    assert len(bars.labels) == 12 and bars.labels[-1] == "19 others" and sum(bars.series["money"]) == 15


@pytest.mark.slow
def test_the_command_writes_a_report_with_pictures_and_without_them_where_their_library_is_not_there(tmp_path):
    child = """case $SAMOLOOP_ITERATION in 2) signal '{"status": "done", "summary": "s"}';; *) next exec;; esac"""
    root = scripted_project(tmp_path, child)
    assert samoloop(root, "run", "Do it", "--session", "x", "--workflow", "exec").returncode == 0
    assert samoloop(root, "report", "x", "--html", "x.html").returncode == 0
    assert (root / "x.html").read_text().count("<svg") == 1  # what they cost is not known: only how long they took
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    text = "import sys, importlib.abc\nsys.modules['pygal'] = None\n"
    (hidden / "sitecustomize.py").write_text(text)
    without = samoloop(root, "report", "x", "--html", "y.html", env={"PYTHONPATH": str(hidden)})
    assert (without.returncode, without.stderr) == (0, "")
    assert "<svg" not in (root / "y.html").read_text() and "<h2>Phases</h2>" in (root / "y.html").read_text()


def test_the_report_shows_what_phases_and_iterations_cost_in_one_file(root):
    session = lay(root)
    bars = charts.of_session(session.journal)
    assert [one.title for one in bars] == [
        "Cost in USD by phase", "Cost in USD by iteration", "Time in minutes by phase", "Time in minutes by iteration",
    ]  # fmt: skip
    report = "# x\n\n## Phases\n\n| phase | time |\n|---|---|\n| ask | 1m |\n\n## Gates\n\n- none"
    made = page(report, "x", [charts.figure(one) for one in bars])
    assert made.index("<h2>Phases") < made.index("</table>") < made.index("<svg") < made.index("<h2>Gates")
    assert "<script" not in made and '<th scope="row">plan</th><td>0.5</td>' in made
    assert page(report, "x").count("<svg") == 0
