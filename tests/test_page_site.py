"""What the pages know of all projects: rows that are read again only where something changed, and what is gone."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import recorded
from kit import until

from samoloop.api import sessions as api_sessions
from samoloop.api import status
from samoloop.base.locks import Lock
from samoloop.config.projects import register
from samoloop.config.task_files import path_of
from samoloop.core.control import LOCK, LOGS, place_of
from samoloop.core.records import Archived
from samoloop.core.session import Session, session_tag
from samoloop.ui.web import site as site_module
from samoloop.ui.web.site import Gone, Site, url_of


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the sessions whose row was worked out."""
    found: list[str] = []

    def row(session: Session) -> dict[str, Any]:
        found.append(session.name)
        return real(session)

    real = status.row
    monkeypatch.setattr(api_sessions.status, "row", row)
    return found


def rows_of(site: Site, *, archived: bool = False) -> list[dict[str, Any]]:
    return [row for project in site.projects(archived=archived) for row in project.rows]


def project(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    register(folder, os.environ)
    return folder


def test_a_row_says_where_its_page_is(root: Path) -> None:
    session = recorded.make_session(root, "26-11-21-auth")
    row = rows_of(Site(os.environ))[0]
    assert (row["name"], row["project"], row["tag"]) == ("auth", "shop", session_tag(session.dir))
    assert row["url"] == url_of(session) == f"/s/{row['tag']}/26-11-21-auth"


def test_only_what_changed_is_read_again(root: Path, reads: list[str]) -> None:
    quiet = recorded.make_session(root, "26-11-21-quiet")
    busy = recorded.make_session(root, "26-11-21-busy")
    site = Site(os.environ)
    rows_of(site)
    reads.clear()
    assert len(rows_of(site)) == 2 and not reads
    recorded.iterate(busy, "requirements")
    row = next(row for row in rows_of(site) if row["session"] == busy.name)
    assert (reads, row["phase"]) == ([busy.name], "requirements")
    assert quiet.name not in reads


def test_an_answer_that_a_person_writes_in_an_editor_shows(root: Path) -> None:
    session = recorded.make_session(root)
    recorded.ask_questions(session, "Q1")
    recorded._record(session, "gate_shown", gate="g1", sha256="0" * 64, stamp=None)
    site = Site(os.environ)
    assert rows_of(site)[0]["waits_for"] == "answers to Q1"
    file = session.dir / "_qa.md"
    file.write_text(file.read_text().replace("_waiting_", "B"))
    row = rows_of(site)[0]
    assert not row["waits_for"] and "Q1" in row["decided"]


def test_a_tick_in_the_plan_shows(root: Path) -> None:
    session = recorded.make_session(root)
    plan = session.dir / recorded.PLAN
    plan.write_text("- [ ] 1.1 one\n- [ ] 1.2 two\n")
    site = Site(os.environ)
    assert rows_of(site)[0]["plan"] == [0, 2]
    plan.write_text("- [x] 1.1 one\n- [ ] 1.2 two\n")
    assert rows_of(site)[0]["plan"] == [1, 2]


def test_a_worker_that_comes_and_goes_is_seen_though_nothing_is_written(root: Path) -> None:
    (place_of(root / "_sessions" / "26-11-21-auth") / LOGS).mkdir(parents=True)
    session = recorded.make_session(root)
    Lock.take(session.control / LOCK, 0, "an earlier one\n").release()
    site = Site(os.environ)
    assert not rows_of(site)[0]["worker_alive"]
    with Lock.take(session.control / LOCK, 0, f"{os.getpid()}\n"):
        assert rows_of(site)[0]["worker_alive"]
    assert not rows_of(site)[0]["worker_alive"]


def test_archived_sessions_are_there_when_asked_for(root: Path) -> None:
    session = recorded.make_session(root)
    site = Site(os.environ)
    assert rows_of(site)
    session.record(Archived())
    assert not rows_of(site)
    assert [row["archived"] for row in rows_of(site, archived=True)] == [True]
    assert not rows_of(site)
    assert site.session(session_tag(session.dir)).dir == session.dir


def test_a_damaged_session_is_a_row_with_its_reason(root: Path) -> None:
    good = recorded.make_session(root, "26-11-21-good")
    bad = recorded.make_session(root, "26-11-21-bad")
    bad.journal.path.write_bytes(b"\x00 nonsense\n" * 3)
    rows = {row["session"]: row for row in rows_of(Site(os.environ))}
    assert rows[bad.name]["condition"] == "damaged" and rows[bad.name]["reason"]
    assert rows[good.name]["condition"] == "ready"


def test_a_project_that_is_gone_is_named_and_the_others_are_shown(tmp_path: Path, root: Path) -> None:
    recorded.make_session(root)
    other = project(tmp_path, "lost")
    shutil.rmtree(other)
    site = Site(os.environ)
    assert [(one.name, len(one.rows), bool(one.problem)) for one in site.projects()] == [
        ("shop", 1, False),
        ("lost", 0, True),
    ]
    assert str(other) in site.projects()[1].problem


def hanging(monkeypatch: pytest.MonkeyPatch, what: str, root: Path) -> tuple[threading.Event, list[Path]]:
    """From now on the disk of a project hangs when its sessions, or its tasks, are looked at: until when; who asked."""
    answers, asked = threading.Event(), list[Path]()

    def wait(at: Path) -> None:
        if at == root:
            asked.append(root)
            answers.wait(60)

    def rows(self: Any, *words: Any, **how: Any) -> Iterator[dict[str, Any]]:
        wait(self.root)
        return rows_as_ever(self, *words, **how)

    def look(at: Path, *words: Any, **how: Any) -> Any:
        wait(at)
        return look_as_ever(at, *words, **how)

    rows_as_ever, look_as_ever = site_module.KnownProject.rows, site_module.backlog.look
    if what == "sessions":
        monkeypatch.setattr(site_module.KnownProject, "rows", rows)
    else:
        monkeypatch.setattr(site_module.backlog, "look", look)
    monkeypatch.setattr(site_module, "PATIENCE_SECONDS", 0.1)
    return answers, asked


def test_a_disk_that_does_not_answer_holds_nobody_up_twice(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.make_session(root)
    other = project(tmp_path, "nfs")
    recorded.make_session(other)
    site = Site(os.environ)
    site.projects()
    answers, asked = hanging(monkeypatch, "sessions", other)
    for _ in range(3):
        found = {one.name: one for one in site.projects()}
        assert "does not answer" in found["nfs"].problem and len(found["nfs"].rows) == 1
        assert len(found["shop"].rows) == 1
    until(lambda: not {one.name: one for one in site.projects()}["shop"].problem)  # whose disk may be slow for a moment
    assert asked == [other]
    answers.set()
    until(lambda: not {one.name: one for one in site.projects()}["nfs"].problem)


@pytest.mark.parametrize("what", ["sessions", "tasks"])
def test_a_backlog_whose_disk_does_not_answer_is_shown_as_it_was_and_holds_up_no_other(
    what: str, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = project(tmp_path, "nfs")
    for folder in (root, other):
        path_of(folder, "x").parent.mkdir(parents=True)
        path_of(folder, "x").write_text("Do it.\n")
    site = Site(os.environ)
    assert [len(one.rows) for one in site.backlogs(0.0)] == [1, 1]
    answers, asked = hanging(monkeypatch, what, other)
    for _ in range(3):
        nfs = {one.project.name: one for one in site.backlogs(0.0)}["nfs"]
        assert "does not answer" in nfs.problem and len(nfs.rows) == 1
    assert asked == [other]
    answers.set()
    until(lambda: not any(one.problem for one in site.backlogs(0.0)))


def test_a_look_that_hangs_keeps_what_was_made_of_others_open(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(os.environ)
    answers, asked = hanging(monkeypatch, "tasks", root)
    monkeypatch.setattr(site_module, "PATIENCE_SECONDS", 60)
    asks = threading.Thread(target=site.backlogs, args=(0.0,))
    asks.start()
    until(lambda: asked)
    kept = threading.Thread(target=site.kept, args=({"tag": "t", "stamps": ()}, "Ann", lambda: "made"))
    kept.start()
    kept.join(20)
    assert not kept.is_alive()
    answers.set()
    asks.join(60)


def test_a_session_that_was_deleted_is_gone(root: Path) -> None:
    session = recorded.make_session(root)
    site = Site(os.environ)
    tag = rows_of(site)[0]["tag"]
    shutil.rmtree(session.dir)
    with pytest.raises(Gone, match="26-11-21-auth is not there any more"):
        site.session(tag)
    with pytest.raises(Gone, match="the session old is not there"):
        site.session("0" * 8, "old")


def test_a_name_that_is_no_text_harms_nobody(root: Path) -> None:
    recorded.make_session(root)
    odd = Path(os.fsdecode(os.fsencode(root / "_sessions") + b"/26-11-21-\xff<b>"))
    odd.mkdir()
    (odd / "_history.jsonl").write_text("")
    rows = rows_of(Site(os.environ))
    assert len(rows) == 2
    assert all((row["url"] + row["name"]).encode() for row in rows)


def test_who_comes_while_somebody_looks_shares_the_next_look(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.make_session(root)
    site, looks = Site(os.environ), list[int]()
    begun, goes_on = threading.Event(), threading.Event()
    real = Site._look

    def look(self: Site, *, archived: bool) -> Any:
        looks.append(1)
        begun.set()
        goes_on.wait(20)
        return real(self, archived=archived)

    monkeypatch.setattr(Site, "_look", look)
    threads = [threading.Thread(target=site.projects)]
    threads[0].start()
    begun.wait(20)
    threads += [threading.Thread(target=site.projects) for _ in range(20)]
    for thread in threads[1:]:
        thread.start()
    goes_on.set()
    for thread in threads:
        thread.join()
    assert len(looks) in (2, 3)  # one thread may not have asked before the first look ended
