"""The search over all sessions: what is found and how it is asked for, what is read again, and a cache that may go."""

import json
import os
import random
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from kit import samoloop, scripted_project
from records import closed, created, ended, event, opened, prepared, started, waited

from samoloop.api import cache, search
from samoloop.api.cache import CacheError
from samoloop.api.search import Index, match_of
from samoloop.base.errors import LockHeld
from samoloop.base.locks import Lock
from samoloop.core.control import place_of
from samoloop.core.journal import Journal
from samoloop.core.session import Session
from samoloop.ui.terminal.hits import hit_lines

DONE = {"status": "done", "phase": "done", "summary": "Cormorants nest"}


def says(*texts: str) -> str:
    """A log of claude."""
    lines = [{"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}} for text in texts]
    return "".join(json.dumps(line) + "\n" for line in lines)


def lay(root: Path, name: str, **files: str) -> Session:
    """A session with one iteration, an answer, a log and these documents."""
    folder = root / "_sessions" / name
    folder.mkdir(parents=True)
    control = place_of(folder)
    (control / "_logs").mkdir(parents=True)
    history = [
        created(root=str(root), session=name, title="Count the herons"),
        prepared("ask"),
        *waited(1, "ask", "qa_answers"),
        opened(1, "ask", "qa_answers", questions=["Q1"]),
        closed("qa_answers", "answered", answers={"Q1": {"title": "Which bird?", "answer": "the kingfisher"}}),
        started(2, "ask", minutes=6),
        ended(2, "ask", {"kind": "done", "summary": "Cormorants nest"}, minutes=7, signal=DONE),
    ]
    journal = Journal(control / "_history.jsonl")
    for record in history:
        journal.append(record)
    (folder / "_history.jsonl").symlink_to(journal.path)
    (control / "_task.md").write_text("Count the herons at the lake")
    (control / "_logs" / "001-ask.jsonl").write_text(says("I saw an avocet"))
    (control / "_logs" / "002-ask.jsonl").write_text(says("and a bittern"))
    for document, text in files.items():
        (folder / f"11-21-0900-{document}-x.md").write_text(text)
    return Session(folder)


@pytest.fixture
def index() -> Index:
    return Index(os.environ)


def file() -> Path:
    return Path(os.environ["HOME"]) / ".local/state/samoloop/search.db"


def kinds(index: Index, words: str) -> list[str]:
    return [hit.kind for hit in index.find(words)]


# --- what is found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "kind", "place", "iteration"),
    [
        ("herons lake", "task", "", 0),
        ("dunlin", "document", "11-21-0900-dive-x.md", 0),
        ("kingfisher", "answer", "Q1", 1),
        ("cormorants", "summary", "", 0),
        ("avocet", "log", "ask", 1),
    ],
)
def test_each_kind_of_words_is_found_with_its_place(root, index, words, kind, place, iteration):
    lay(root, "26-11-21-birds", dive="A dunlin\n\nby the water")
    index.update([root])
    [hit] = index.find(words)
    assert (hit.kind, hit.place, hit.iteration) == (kind, place, iteration)
    assert (hit.project, hit.session, hit.title) == (str(root), "26-11-21-birds", "Count the herons")
    assert hit.at.startswith("2026-11-2" if kind != "document" else "20") and hit.at.endswith("Z")


def test_a_snippet_is_text_in_parts_and_no_markup(root, index):
    lay(root, "26-11-21-birds", dive="<b>A</b> \x02dunlin\x03 \x1b[31m & <script>wader</script>")
    index.update([root])
    [hit] = index.find("dunlin wader")
    assert [part for part, is_found in hit.snippet if is_found] == ["dunlin", "wader"]
    assert "".join(part for part, _ in hit.snippet) == "<b>A</b> ␂dunlin␃ ␛[31m & <script>wader</script>"
    lines = ["".join(p if isinstance(p, str) else p[0] for p in line) for line in hit_lines([hit], _now(), 40)]
    assert len(lines) > 2 and max(map(len, lines)) < 40


def _now():
    from samoloop.base.clock import Clock

    return Clock().now()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("one two", '"one" "two"'),
        ('"one two" three', '"one two" "three"'),
        ("migrat*", '"migrat*"*'),
        ('a "b c', '"a" "b" "c"'),
        ("AND OR NOT NEAR(a b)", '"AND" "OR" "NOT" "NEAR(a" "b)"'),
        ("plan_approval -x col:y ^z", '"plan_approval" "-x" "col:y" "^z"'),
        ("** -- \" ' ()", ""),
        ("a\0b", '"a" "b"'),
        ("", ""),
    ],
)
def test_nothing_that_a_person_types_is_syntax(words, asked):
    assert match_of(words) == asked


def test_no_query_whatever_it_is_made_of_is_an_error(root, index):
    lay(root, "26-11-21-birds")
    index.update([root])
    letters = "ab \"'*()-+^:{}[]\\/,.;<>=~|&!?%_$#@`\0\n\t\x1bäß漢字ñ🐦\u0301\u200b"
    chance = random.Random(7)
    for _ in range(500):
        index.find("".join(chance.choice(letters) for _ in range(chance.randrange(30))))
    assert index.find("herons " * 1000)


def test_phrases_beginnings_and_letters_with_accents(root, index):
    lay(root, "26-11-21-birds", dive="The red kite circles; une grève; plan_approval")
    index.update([root])
    assert kinds(index, '"red kite"') == ["document"] and kinds(index, '"kite red"') == []
    assert kinds(index, "circ*") == ["document"] and kinds(index, "circ") == []
    assert kinds(index, "GREVE") == ["document"] and kinds(index, "plan_approval") == ["document"]


def test_the_newest_come_first_if_that_is_wanted_and_one_project_can_be_chosen(root, index, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for number in range(3):
        session = lay(root if number else other, f"26-11-21-s{number}", dive="dunlin")
        os.utime(session.dir / "11-21-0900-dive-x.md", (1_000_000 * (number + 1),) * 2)
    index.update([root, other])
    found = [hit.session[-2:] for hit in index.find("dunlin", newest=True)]
    assert found == ["s2", "s1", "s0"]
    assert [hit.session[-2:] for hit in index.find("dunlin", roots=[other])] == ["s0"]
    assert [hit.session[-2:] for hit in index.find("dunlin", newest=True, limit=1, skip=1)] == ["s1"]


# --- what is read ---------------------------------------------------------------------------------------------------


def test_only_what_changed_is_read_again(root, index):
    one, two = (lay(root, f"26-11-21-{name}", dive="dunlin", plan="a plan") for name in ("a", "b"))
    assert index.update([root]).read == 2 * 8  # journal, task, answer, summary, 2 logs, 2 documents
    assert index.update([root]).read == 0
    (one.dir / "11-21-0900-dive-x.md").write_text("a godwit instead")
    assert index.update([root]).read == 1
    assert kinds(index, "godwit") == ["document"] and len(index.find("dunlin")) == 1
    Journal(two.control / "_history.jsonl").append(event("noted", 30, text="x"))
    assert index.update([root]).read == 1  # the journal, and nothing that it leads to
    (one.dir / "11-21-0900-plan-x.md").unlink()
    assert index.update([root]).read == 0 and len(index.find("plan")) == 1


def test_a_session_that_is_gone_is_found_no_more(root, index):
    import shutil

    session = lay(root, "26-11-21-a", dive="dunlin")
    index.update([root])
    shutil.rmtree(session.control)
    shutil.rmtree(session.dir)
    index.update([root])
    assert index.find("dunlin") == [] and index.find("herons") == []
    with sqlite3.connect(file()) as db:
        assert db.execute("SELECT (SELECT count(*) FROM source) + (SELECT count(*) FROM said)").fetchone() == (0,)


def test_a_child_at_work_is_read_once_it_has_ended(root, index):
    session = lay(root, "26-11-21-a")
    journal = Journal(session.control / "_history.jsonl")
    journal.append(started(3, "ask", minutes=9))
    log = session.logs / "003-ask.jsonl"
    log.write_text(says("a plover"))
    index.update([root])
    assert index.find("plover") == []
    journal.append(ended(3, "ask", {"kind": "continue", "phase": "ask"}, minutes=10))
    index.update([root])
    assert kinds(index, "plover") == ["log"]


def test_what_is_no_plain_file_is_not_read_and_holds_nothing_up(root, index, tmp_path):
    session = lay(root, "26-11-21-a", dive="dunlin", plan="x")
    secret = tmp_path / "secret"
    secret.write_text("a nightjar")
    (session.dir / "11-21-0900-plan-x.md").unlink()
    (session.dir / "11-21-0900-plan-x.md").symlink_to(secret)
    os.mkfifo(session.dir / "11-21-0901-dive-pipe.md")
    (session.dir / "11-21-0902-dive-folder.md").mkdir()
    os.mkfifo(session.logs / "pipe")
    (session.logs / "001-ask.jsonl").unlink()
    os.mkfifo(session.logs / "001-ask.jsonl")
    index.update([root])
    assert index.find("nightjar") == [] and kinds(index, "dunlin") == ["document"]


def test_huge_files_are_read_as_far_as_a_bound(root, index):
    session = lay(root, "26-11-21-a", dive="dunlin " + "x " * 300_000 + "nightjar")
    with (session.dir / "11-21-0901-dive-sparse.md").open("wb") as sparse:
        sparse.truncate(50_000_000)
    long = session.logs / "001-ask.jsonl"
    long.write_text(says("avocet") + "y" * 10_000_000 + "\n" + says("godwit"))
    os.truncate(session.logs / "002-ask.jsonl", 50_000_000)
    index.update([root])
    assert kinds(index, "dunlin") == ["document"] and index.find("nightjar") == []
    assert kinds(index, "avocet") == ["log"] and index.find("godwit") == []
    assert file().stat().st_size < 10_000_000


def test_raw_json_of_a_log_is_not_found(root, index):
    lay(root, "26-11-21-a")
    index.update([root])
    assert index.find("assistant") == [] and index.find("content") == []


def test_a_damaged_session_keeps_nobody_from_the_others(root, index):
    broken = lay(root, "26-11-21-a", dive="dunlin")
    (broken.control / "_history.jsonl").write_text("{}\n{}\n")
    lay(root, "26-11-21-b")
    (root / ".samoloop.yaml").write_text("provider: [")
    index.update([root])
    assert kinds(index, "dunlin") == ["document"] and kinds(index, "herons") == ["task"]


# --- a cache that may go --------------------------------------------------------------------------------------------


def test_only_the_person_can_read_it(root, index):
    lay(root, "26-11-21-a")
    made = index._cache._open()
    assert stat.S_IMODE(file().stat().st_mode) == 0o600
    made.close()
    index.update([root])
    file().chmod(0o644)
    index.find("herons")
    assert stat.S_IMODE(file().stat().st_mode) == 0o600


@pytest.mark.parametrize("spoil", ["delete", "damage", "version", "other", "part", "zero"])
def test_whatever_becomes_of_the_file_it_is_made_anew(root, index, spoil):
    lay(root, "26-11-21-a", dive="dunlin")
    index.update([root])
    match spoil:
        case "delete":
            with sqlite3.connect(file(), isolation_level=None) as db:  # what was being written is left beside it
                db.execute("BEGIN IMMEDIATE")
                db.execute("DELETE FROM session")
                db.execute("PRAGMA cache_spill = 1")
                left = file().with_name("search.db-journal").read_bytes()
                db.execute("ROLLBACK")
            file().unlink()
            file().with_name("search.db-journal").write_bytes(left)
            file().with_name("search.db-wal").write_bytes(left)
        case "damage":
            data = bytearray(file().read_bytes())
            data[1000:] = b"\xff" * len(data[1000:])
            file().write_bytes(data)
        case "version":
            with sqlite3.connect(file()) as db:
                db.execute("PRAGMA user_version = 99")
        case "other":
            file().unlink()
            with sqlite3.connect(file()) as db:
                db.execute("CREATE TABLE session (x)")
        case "part":
            with sqlite3.connect(file()) as db:
                db.execute("DROP TABLE source")
        case "zero":
            os.truncate(file(), 0)
    assert index.find("dunlin") == []  # known to be empty, and no error
    index.update([root])
    assert kinds(index, "dunlin") == ["document"]


def test_it_may_be_deleted_while_it_is_filled(root, index, monkeypatch):
    for name in "abc":
        lay(root, f"26-11-21-{name}", dive="dunlin")
    monkeypatch.setattr(search, "_BATCH_SECONDS", 0.0)
    deleted = []

    def delete(progress: search.Progress) -> None:
        if progress.sessions == 2 and not deleted:
            deleted.append(file().unlink())

    index.update([root], delete)
    assert deleted and len(index.find("dunlin")) == 3


def test_a_file_that_another_program_locks_is_said(root, index, monkeypatch):
    lay(root, "26-11-21-a")
    index.update([root])
    monkeypatch.setattr(cache, "BUSY_SECONDS", 0.05)
    with sqlite3.connect(file(), isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CacheError, match=r"another program keeps .*search.db locked"):
            index.find("herons")
        index.update_in_background([root])
        index.wait(20)
        assert "locked" in index.progress.trouble
        db.execute("ROLLBACK")
    assert kinds(index, "herons lake") == ["task"]


def test_a_full_disk_is_said_and_what_was_found_before_is_found(root, index, monkeypatch):
    lay(root, "26-11-21-a", dive="dunlin")
    index.update([root])
    pages = sqlite3.connect(file()).execute("PRAGMA page_count").fetchone()[0]
    monkeypatch.setattr(Cache := cache.Cache, "_open", _on_a_full_disk(Cache._open, pages))
    lay(root, "26-11-21-b", dive="godwit " + " ".join(f"w{n}" for n in range(50_000)))
    with pytest.raises(CacheError, match="no room on the disk"):
        index.update([root])
    assert kinds(index, "dunlin") == ["document"] and index.find("godwit") == []


def _on_a_full_disk(known, pages):
    def opened(self):
        db = known(self)
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    return opened


def test_a_folder_that_may_not_be_written_to_is_said(root, index, monkeypatch):
    def refuse(path: Path, timeout: float, content: str) -> Lock:
        raise PermissionError(13, "Permission denied")

    lay(root, "26-11-21-a")
    monkeypatch.setattr(Lock, "take", refuse)
    with pytest.raises(CacheError, match="cannot be written to: Permission denied"):
        index.update([root])


def test_one_process_at_a_time_reads_and_many_may_look(root, index):
    for name in "abcd":
        lay(root, f"26-11-21-{name}", dive="dunlin")
    with Lock.take(file().with_suffix(".lock"), 0, "x"), pytest.raises(LockHeld):
        index.update([root])
    found: list[object] = []

    def look() -> None:
        try:
            for _ in range(20):
                found.append(len(Index(os.environ).find("dunlin")))
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    index.update([root])
    for thread in threads:
        thread.join()
    assert {type(one) for one in found} == {int} and len(index.find("dunlin")) == 4


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_finds_what_a_session_said(tmp_path: Path):
    child = (
        """echo "a dunlin by the water" > 11-21-0900-dive-x.md; signal '{"status": "done", "summary": "all good"}'"""
    )
    root = scripted_project(tmp_path, child)
    refused = samoloop(root, "search", "dunlin", "--project", "shpo")
    assert refused.returncode == 2 and "no project 'shpo'" in refused.stderr and not file().exists(), "first of all"
    assert samoloop(root, "run", "Count herons", "--session", "x", "--workflow", "exec").returncode == 0
    shown = samoloop(root, "search", "DUNLIN", "wat*")
    assert shown.returncode == 0 and "x · 11-21-0900-dive-x.md" in shown.stdout and "dunlin by" in shown.stdout
    hit, *_ = json.loads(samoloop(root, "search", "count herons", "--project", str(root), "--json").stdout)
    assert hit["session"][9:] == "x" and ["herons", True] in hit["snippet"]
    nothing = samoloop(root, "search", '"', "*", "AND(")
    assert nothing.returncode == 0 and "Nothing is found" in nothing.stdout
    assert json.loads(samoloop(root, "search", "nowhere", "--json").stdout) == []
