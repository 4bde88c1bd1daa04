"""A session on the page, and all that is read of it: also while it is written, and where what is no file lies there."""

import json
import os
import re
import time
from html import unescape
from pathlib import Path

import pytest
import recorded
from browser import Browser
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import GOOD_CHILD, Bench, make_repo, script

from samoloop.api.logs import Attempt, attempts
from samoloop.base.locks import Lock
from samoloop.config.projects import register
from samoloop.core.control import CHILD_LOCK, LOCK
from samoloop.core.session import Session
from samoloop.ui.web import logs
from samoloop.ui.web.pages import changes, reading
from samoloop.ui.web.site import url_of
from samoloop.ui.web.words import MOST_CHARACTERS

DOCUMENT = "11-21-0930-plan-jwt.md"
CUT = "Cut here, after 200,000 characters. The download has all of it."


@pytest.fixture
def session(tmp_path: Path) -> Session:
    register(tmp_path, os.environ)
    return recorded.make_session(tmp_path)


@pytest.fixture
def ann(session: Session) -> Browser:
    return Browser(os.environ)


def words(html: str) -> str:
    """What a person reads of a page's own part."""
    main = html.partition("<main")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", f"<main{main}")).split())


def look(ann: Browser, session: Session, part: str = "") -> str:
    return words(ann.open(url_of(session) + part))


def refused(ann: Browser, session: Session, part: str, code: int = 404) -> str:
    found = ann.client.get(url_of(session) + part)
    assert found.status_code == code, found.text
    return words(found.text)


def test_it_says_how_it_stands_and_what_happened_the_newest_first(ann: Browser, session: Session) -> None:
    recorded.iterate(session, "requirements")
    recorded.iterate(session, "planning")
    html = ann.open(url_of(session))
    text = words(html)
    assert text.startswith("Add JWT auth ready in planning; iteration 2")
    assert "spent 2 iterations, 24s of work, 0.08 USD, 24.6k in, 1.9k out" in text
    assert text.index("2 requirements → planning") < text.index("1 investigation → requirements")
    assert text.count("claude · 12s · 0.04 USD · 12.3k in, 950 out") == 2
    assert f'href="{url_of(session)}/log/2"' in html


def test_how_it_stands_is_said_as_in_the_list_of_all(ann: Browser, session: Session) -> None:
    def badge(url: str) -> list[tuple[str, str]]:
        return re.findall(r'<span class="badge ([^"]*)">([^<]*)</span>', ann.open(url))[:1]

    recorded.start(session)
    assert badge(url_of(session)) == badge("/") == [("bad", "interrupted")]
    with Lock.take(session.control / LOCK, 1, f"{os.getpid()}\n"):
        assert badge(url_of(session)) == badge("/") == [("good", "works")]


def test_a_gate_stands_there_with_its_forms_and_in_the_timeline(ann: Browser, session: Session) -> None:
    recorded.ask_questions(session, "Q1")
    recorded._record(session, "gate_shown", gate="g1")
    html = ann.open(url_of(session))
    assert f'action="{url_of(session)}/answer"' in html
    assert "waits for answers to Q1 in _qa.md open" in words(html)
    recorded._record(
        session, "gate_closed", gate="g1", kind="qa_answers", verdict="answered", by="Ann",
        answers={"Q1": {"title": "Which way?", "answer": "A"}},
    )  # fmt: skip
    text = look(ann, session)
    assert "answered by Ann, after" in text
    assert "Q1 Which way?: A" in text


def test_old_entries_are_on_pages_of_their_own(ann: Browser, session: Session) -> None:
    for _ in range(120):
        recorded.iterate(session, "investigation")
    assert len(re.findall(r'<li id="entry-', ann.open(url_of(session)))) == 100
    older = ann.open(url_of(session) + "?page=2")
    assert len(re.findall(r'<li id="entry-', older)) == 22
    assert "handed off, workflow feature" in words(older)
    assert "To the session as it is now" in words(older)
    for page in ("0", "99", "-1", "x", "²", "9" * 30):
        ann.open(f"{url_of(session)}?page={page}")


def test_the_end_of_the_log_of_the_child_at_work_is_shown(ann: Browser, session: Session) -> None:
    stem = recorded.start(session)
    recorded.write_log(stem, [recorded.claude_text(f"word {number} <b>") for number in range(500)])
    assert "At work now" not in look(ann, session)
    with Lock.take(session.control / CHILD_LOCK, 1, "1\n"):
        text = look(ann, session)
        assert "At work now" in text
        assert "word 499 <b>" in text
        assert "word 400 <b>" not in text
        with stem.with_name(stem.name + ".jsonl").open("ab") as log:
            log.write(b'{"type": "assi')  # it is being written
        assert "word 499 <b>" in look(ann, session)
    assert "word 0 <b>" in look(ann, session, "/log/1")


def test_a_journal_that_is_being_written_is_read_as_far_as_it_goes(ann: Browser, session: Session) -> None:
    recorded.iterate(session, "requirements")
    with session.journal.path.open("ab") as journal:
        journal.write(b'{"event":"started","iteration":2')
    assert "1 investigation → requirements" in look(ann, session)


def test_a_damaged_journal_and_a_session_that_is_gone_are_said(ann: Browser, session: Session) -> None:
    recorded.iterate(session, "requirements")
    url = url_of(session)
    ann.open(url)
    good = session.journal.path.read_bytes()
    session.journal.path.write_bytes(good.replace(b'"iteration":1', b'"iteration":7'))
    for part in ("", "/log/1", "/checks", "/report"):
        assert "samoloop repair" in refused(ann, session, part, 409)
    session.journal.path.write_bytes(good)
    session.dir.rename(session.dir.with_name(".gone"))
    for part in ("", "/log/1", "/checks", "/report", "/diff", f"/document/{DOCUMENT}", f"/download/{DOCUMENT}"):
        assert "is not there any more" in refused(ann, session, part)


def test_a_document_is_shown_as_one_or_as_it_is_written_and_is_downloaded_as_it_is(
    ann: Browser, session: Session
) -> None:
    (session.dir / DOCUMENT).write_text("# The plan\n\n![x](http://e.example/x.png) <b>\n")
    html = ann.open(f"{url_of(session)}/document/{DOCUMENT}")
    assert "<h2>The plan</h2>" in html
    assert "<img" not in html
    assert "# The plan" in look(ann, session, f"/document/{DOCUMENT}?plain=1")
    got = ann.client.get(f"{url_of(session)}/download/{DOCUMENT}")
    assert got.content == (session.dir / DOCUMENT).read_bytes()
    assert got.headers["content-disposition"] == f"attachment; filename*=UTF-8''{DOCUMENT}"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["x-content-type-options"] == "nosniff"


def test_a_document_with_a_name_of_other_letters_is_a_download_of_that_name(ann: Browser, session: Session) -> None:
    name = "11-21-0930-plan-ü漢.md"
    (session.dir / name).write_text("x")
    assert name in look(ann, session)
    got = ann.client.get(f"{url_of(session)}/download/{name}")
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''11-21-0930-plan-%C3%BC%E6%BC%A2.md"


@pytest.mark.parametrize(
    "name", ["_history.jsonl", "_signal.json", "nothing.md", "..%2f..%2fx.md", "%2fetc%2fpasswd", "a%00b"]
)
def test_nothing_else_is_read(ann: Browser, session: Session, name: str) -> None:
    recorded.iterate(session, "requirements")
    (session.dir / "_signal.json").write_text("{}")
    for kind in ("document", "download", "download/log"):
        assert ann.client.get(f"{url_of(session)}/{kind}/{name}").status_code == 404
    assert ann.client.get(f"{url_of(session)}/download/log/001-investigation.jsonl").status_code == 200


def lay(path: Path, what: str) -> None:
    path.unlink(missing_ok=True)
    if what == "link":
        path.symlink_to("/etc/passwd")
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()


@pytest.mark.parametrize("what", ["link", "device", "pipe", "folder", "nothing"])
def test_what_is_no_file_is_said_and_not_read(ann: Browser, session: Session, what: str) -> None:
    stem = recorded.iterate(session, "requirements")
    lay(session.dir / DOCUMENT, what)
    for ending in (".jsonl", ".err", ".prompt.md"):
        lay(stem.with_name(stem.name + ending), what)
    started = time.monotonic()
    if what == "nothing":
        refused(ann, session, f"/document/{DOCUMENT}")
    else:
        assert "it is not shown: " in look(ann, session, f"/document/{DOCUMENT}")
    assert "root:" not in look(ann, session, "/log/1")
    assert "root:" not in words(ann.client.get(f"{url_of(session)}/prompt/1").text)
    refused(ann, session, f"/download/{DOCUMENT}")
    refused(ann, session, f"/download/log/{stem.name}.jsonl")
    look(ann, session)
    assert time.monotonic() - started < 10


def test_every_word_that_a_child_was_told_is_there(ann: Browser, session: Session) -> None:
    stem = recorded.iterate(session, "requirements")
    stem.with_name(stem.name + ".prompt.md").write_text("You are <b>one</b>\x1b[31m of many.\n")
    stem.with_name(stem.name + ".notes.md").write_text("More notes.\n")
    text = look(ann, session, "/prompt/1")
    assert "You are <b>one</b> of many." in text
    assert "More notes." in text
    assert "has no iteration 9" in refused(ann, session, "/prompt/9")
    assert "has no iteration 0" in refused(ann, session, "/log/x")


def test_the_last_attempt_is_shown_and_leads_to_the_others(ann: Browser, session: Session) -> None:
    first = recorded.start(session)
    recorded.write_log(first, [recorded.claude_text("one")])
    recorded._record(session, "interrupted", iteration=1, attempt=1, note="n", why="power")
    recorded.write_log(recorded.start(session, attempt=2), [recorded.claude_text("two")])
    assert "two" in look(ann, session, "/log/1")
    assert "one ✗ interrupted: power" in look(ann, session, "/log/1?attempt=1")


def test_a_document_of_50_mb_and_a_log_line_of_10_mb_are_cut_and_said(ann: Browser, session: Session) -> None:
    with (session.dir / DOCUMENT).open("wb") as file:
        file.truncate(50_000_000)
    stem = recorded.start(session)
    recorded.write_log(stem, [recorded.claude_text("before"), b"x" * 10_000_000, recorded.claude_text("after")])
    (session.dir / "_task.md").write_text("word " * 1_000_000)
    stem.with_name(stem.name + ".prompt.md").write_text("word " * 1_000_000)
    stem.with_name(stem.name + ".err").write_text("word " * 1_000_000)
    for part in (f"/document/{DOCUMENT}", f"/document/{DOCUMENT}?plain=1", "/document/_task.md", "/prompt/1"):
        html = ann.open(url_of(session) + part)
        assert CUT in html
        assert len(html) < 4 * MOST_CHARACTERS
    for page in (1, 2, 50, 51):
        assert len(ann.open(f"{url_of(session)}/log/1?page={page}")) < 4 * MOST_CHARACTERS
    first, last = look(ann, session, "/log/1"), look(ann, session, "/log/1?page=999")
    assert "before" in first and "a line of more than 1 MB is left out here" in first
    assert "after" in last
    assert "in the midst of a long line" in look(ann, session, "/log/1?page=20")
    with Lock.take(session.control / CHILD_LOCK, 1, "1\n"):
        assert "after" in look(ann, session)
    assert len(ann.client.get(f"{url_of(session)}/download/{DOCUMENT}").content) == 50_000_000


def test_of_what_a_program_printed_it_says_that_only_the_end_is_there(ann: Browser, session: Session) -> None:
    stem = recorded.iterate(session, "requirements")
    stem.with_name(stem.name + ".err").write_text("word " * 5_000)
    log = session.logs / "001-check.jsonl"
    log.write_text("word " * 6_000)
    run = {"check": "pytest", "kind": "now", "tree": "t", "outcome": "failed", "said": "pytest: 2 failed"}
    recorded._record(session, "checks.ran", **run, log=str(log))
    assert "… the last 20,000 of 25,000 bytes: word" in look(ann, session, "/log/1")
    assert "… the last 20,000 of 30,000 bytes: word" in look(ann, session, "/checks")
    log.write_text("word")
    assert "the last" not in look(ann, session, "/checks")


def test_a_run_of_a_check_shows_what_it_printed_and_no_other_file(
    ann: Browser, session: Session, tmp_path: Path
) -> None:
    recorded.iterate(session, "requirements")
    (session.logs / "001-check.jsonl").write_text("\x1b[31m2 failed\x1b[0m <b>\n")
    (tmp_path / "secret").write_text("hidden\n")
    run = {"check": "pytest", "kind": "now", "tree": "t", "outcome": "failed", "said": "pytest: 2 failed"}
    recorded._record(session, "checks.ran", **run, log=str(session.logs / "001-check.jsonl"))
    recorded._record(session, "checks.ran", **run, log=str(tmp_path / "secret"))
    text = look(ann, session, "/checks")
    assert "2 failed <b>" in text
    assert "What it printed is not kept any more." in text
    assert "hidden" not in text


def test_what_a_child_says_of_itself_stays_words(ann: Browser, session: Session) -> None:
    bad = "<script>alert(1)</script>\x1b[2J\u202e"
    stem = recorded.iterate(session, "requirements", [recorded.claude_text(bad)], said=bad)
    recorded.start(session)
    recorded.end(session, {"kind": "blocked", "reason": bad, "needs": bad}, outcome={"denied": [f"Bash: {bad}"]})
    stem.with_name(stem.name + ".prompt.md").write_text(bad)
    (session.dir / DOCUMENT).write_text(bad)
    for part in ("", "/log/1", "/prompt/1", "/checks", "/report", f"/document/{DOCUMENT}"):
        html = ann.open(url_of(session) + part)
        assert not re.search('<script(?! src="/static/page.js" defer>)|[\x1b\u202e]', html), part
        assert part == "/checks" or "&lt;script&gt;" in html, part


# --- a log in parts --------------------------------------------------------------------------------------------------


@pytest.fixture
def attempt(session: Session) -> Attempt:
    """Of a CLI that is not configured any more, so that each line of its log is shown as it is."""
    recorded.start(session, provider="gone")
    recorded.end(session, {"kind": "continue", "phase": "requirements"})
    return attempts(session.journal.read(), session.logs)[0]


def test_each_line_of_a_log_is_on_one_page(session: Session, attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "PAGE_BYTES", 50)

    @settings(max_examples=60, deadline=None)
    @given(sizes=st.lists(st.integers(0, 130), max_size=12), is_whole=st.booleans())
    def check(sizes: list[int], is_whole: bool) -> None:
        lines = [f"{number}:".ljust(size + 3, "x") for number, size in enumerate(sizes)]
        attempt.log.write_text("\n".join(lines) + ("\n" if is_whole else ""))
        pages = logs.page_of(session, attempt, os.environ, 1).pages
        shown = [
            line for page in range(1, pages + 1) for line in logs.page_of(session, attempt, os.environ, page).lines
        ]
        assert [line.text for line in shown if "midst" not in line.text] == lines

    check()


def test_what_only_the_end_of_a_child_tells_is_said_where_its_log_ends(
    ann: Browser, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PAGE_BYTES", 1_000)
    for number, result in enumerate(([], [recorded.claude_result("all is well")]), 1):
        lines = [json.dumps(line).encode() for line in [*[recorded.claude_text("word")] * 50, *result]]
        pad = (-sum(len(line) + 1 for line in lines)) % 1_000  # so that the last line alone begins on the last page
        stem = recorded.iterate(
            session, "investigation", [b"x" * pad, *lines, b"a last word"], outcome={"exit_code": 1}
        )
        stem.with_name(f"{stem.name}.err").write_text("no such model\n")
        pages = logs.page_of(session, attempts(session.journal.read(), session.logs)[-1], os.environ, 1).pages
        said = [look(ann, session, f"/log/{number}?page={page}") for page in range(1, pages + 1)]
        ends = ["claude ended with exit code 1 and no result: no such model" in text for text in said]
        assert pages > 3 and ends == [False] * (pages - 1) + [not result]


# --- with a real repository ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_changes_versions_checks_and_report_of_a_session_that_was_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))
    session = bench.session("Add a feature", name="feature")
    bench.run(session, yes=True)
    register(bench.root, os.environ)
    ann, session = Browser(os.environ), Session(session.dir)
    diff = ann.open(url_of(session) + "/diff")
    assert "feature.txt" in words(diff)
    assert '<tr class="added">' in diff
    numbers = range(1, session.state().iteration + 1)
    made = [number for number in numbers if "feature.txt" in look(ann, session, f"/diff/{number}")]
    assert len(made) == 1
    assert "Nothing was changed in the code by this iteration" in look(ann, session, "/diff/1")
    assert "There is no checkpoint of iteration 99" in refused(ann, session, "/diff/99", 409)
    assert "feature.txt" in look(ann, session, "/diff?file=1")
    assert "Nothing was changed" in look(ann, session, "/diff?file=7")
    html = ann.open(url_of(session) + "/document/11-21-0900-plan-x.md")
    versions = re.findall(r'href="([^"]*\?version=[0-9a-f]+)"', html)
    assert "[x] 1.1 it works" in words(html)
    assert "[ ] 1.1 it works" in words(ann.open(versions[-1]))
    [download] = re.findall(r'href="([^"]*/download/[^"]*)"', ann.open(versions[-1]))
    assert b"[ ] 1.1 it works" in ann.client.get(download).content
    assert b"[x] 1.1 it works" in ann.client.get(download.partition("?")[0]).content
    assert "no such version" in refused(ann, session, "/download/11-21-0900-plan-x.md?version=0")
    monkeypatch.setattr(reading, "_MOST_VERSIONS", len(versions) - 1)
    assert "and 1 earlier ones" in look(ann, session, "/document/11-21-0900-plan-x.md")
    assert "The rest of this file" not in look(ann, session, "/diff")
    monkeypatch.setattr(changes, "_MOST_CHARACTERS", 100)
    assert "The rest of this file is not shown here" in look(ann, session, "/diff")
    assert "Done, unchecked" in look(ann, session, "/report")
    assert "unchecked" in look(ann, session, "/checks")
