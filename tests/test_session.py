"""Session folders: how they are called, found and made."""

import os
from datetime import datetime
from pathlib import Path

import pytest
from records import created, ended, prepared, started

from samoloop.base.errors import SessionError, UsageError
from samoloop.core.records import Halted, Noted, Record
from samoloop.core.session import Session, all_sessions, check_name, find, new_folder, resolve, slug_of, title_of
from samoloop.core.state import Condition

TODAY = datetime(2026, 11, 21, 9, 30)  # noqa: DTZ001 - a date on the person's calendar


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = tmp_path / "_sessions"
    folder.mkdir()
    return folder


def make(sessions: Path, name: str, *records: Record) -> Session:
    session = Session(sessions / name)
    session.dir.mkdir()
    for record in (created(session=name), prepared(), *records):
        session.record(record)
    return Session(session.dir)


BLOCKED = (started(1, "ask"), ended(1, "ask", {"kind": "blocked", "reason": "x"}))
DONE = (started(1, "ask"), ended(1, "ask", {"kind": "done"}))


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "slug"),
    [
        ("Add JWT auth", "add-jwt-auth"),
        ("# Add JWT auth\n\nWith refresh.", "add-jwt-auth"),
        ("\n\n  Fix it!  \n", "fix-it"),
        ("Größe der Änderung prüfen", "große-der-anderung-prufen".replace("ß", "e").replace("groee", "groe")),
        ("добавить вход", "task"),
        ("登录", "task"),
        ("登录 login 页面", "login"),
        ("../../etc/passwd", "etc-passwd"),
        ("!!!", "task"),
        ("a" * 100, "a" * 40),
        ("one two three four five six seven eight nine ten", "one-two-three-four-five-six-seven-eight"),
        ("-rf /", "rf"),
    ],
)
def test_a_task_gives_a_name_that_any_file_system_takes(task: str, slug: str) -> None:
    assert slug_of(task) == slug
    assert check_name(slug_of(task))


@pytest.mark.parametrize(
    ("task", "title"),
    [
        ("Add JWT auth", "Add JWT auth"),
        ("\n# Add auth #\nmore", "Add auth"),
        ("x" * 81, "x" * 79 + "…"),
        ("日本語のタスク", "日本語のタスク"),
        (" \n", "task"),
    ],
)
def test_a_title_is_the_first_line_of_the_task(task: str, title: str) -> None:
    assert title_of(task) == title


@pytest.mark.parametrize("name", ["auth", "26-01-20-fix-auth", "fix_auth.2", "Ä-auth", "7", "a" * 100])
def test_a_good_name_is_taken_as_it_is(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "a/b", "../a", "..", ".", "a..b", "-a", "_a", ".a", "a b", "a\nb", "a\n", "a\0", "a.lock", "a."),
        *("a" * 101, "ä" * 51, "a\\b", "a:b", "a~1", "a^b", "a@{b"),
    ],
)
def test_a_name_that_could_be_no_folder_or_branch_is_refused(name: str, sessions: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be a session's name: use letters, digits, dots, - and _, no slash"):
        check_name(name)
    with pytest.raises(UsageError):
        find(sessions, name)


# --- folders ----------------------------------------------------------------------------------------------------------


def make_folder(sessions: Path) -> str:
    with new_folder(sessions, "auth", TODAY) as (_, name):
        return name


def test_a_new_folder_has_the_date_and_a_number_where_the_name_is_taken(tmp_path: Path) -> None:
    sessions = tmp_path / "a" / "_sessions"
    names = [make_folder(sessions) for _ in range(3)]
    assert names == ["26-11-21-auth", "26-11-21-auth-2", "26-11-21-auth-3"]
    assert all((sessions / name / "_logs").is_dir() for name in names)


def test_a_session_that_was_half_made_is_none_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path, "auth", TODAY) as (folder, _):
        (Session(folder).journal.path).write_text('{"event": "crea')
        raise KeyboardInterrupt
    assert all_sessions(tmp_path) == []
    name = make_folder(tmp_path)
    assert (name, sorted(path.name for path in (tmp_path / name).iterdir())) == (
        "26-11-21-auth",
        ["_history.jsonl", "_logs"],
    )
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "_sessions").write_text("a file")
    with pytest.raises(SessionError, match=r"no session can be made in .*_sessions: (File exists|Not a directory)"):
        make_folder(tmp_path / "_sessions")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "_sessions").mkdir(mode=0o500)
    with pytest.raises(SessionError, match="Permission denied"):
        make_folder(tmp_path / "_sessions")


def test_the_files_of_an_attempt_are_named_by_iteration_phase_and_attempt(tmp_path: Path) -> None:
    session = Session(tmp_path)
    assert session.stem(7, "planning", 1) == tmp_path / "_logs" / "007-planning"
    assert session.stem(1234, "planning", 3) == tmp_path / "_logs" / "1234-planning.3"


# --- finding ----------------------------------------------------------------------------------------------------------


def test_sessions_are_listed_newest_first_and_other_folders_left_out(sessions: Path) -> None:
    for name in ("26-01-20-b", "26-11-21-a", "own-name"):
        make(sessions, name)
    (sessions / "26-12-01-empty").mkdir()
    (sessions / "file").write_text("x")
    assert [session.name for session in all_sessions(sessions)] == ["own-name", "26-11-21-a", "26-01-20-b"]
    assert all_sessions(sessions / "nowhere") == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("26-01-20-fix-auth", "26-01-20-fix-auth"),
        ("fix-auth", "26-01-20-fix-auth"),
        ("auth", "26-11-20-auth"),
        ("auth-2", "26-11-20-auth-2"),
        ("old", "old"),
        ("fix", None),
        ("uth", None),
        ("20-fix-auth", None),
        ("01-20-fix-auth", None),
        ("Auth", None),
        ("26-01-20", None),
        ("a.th", None),
    ],
)
def test_a_name_is_the_folder_or_what_follows_its_date(sessions: Path, name: str, found: str | None) -> None:
    for folder in ("26-01-20-fix-auth", "26-01-20-auth", "26-11-20-auth", "26-11-20-auth-2", "old", "26-02-02-old"):
        make(sessions, folder)
    session = find(sessions, name)
    assert (session.name if session else None) == found


def test_auth_alone_never_finds_fix_auth(sessions: Path) -> None:
    make(sessions, "26-01-20-fix-auth")
    assert find(sessions, "auth") is None


# --- which session is meant -------------------------------------------------------------------------------------------


def test_without_a_name_the_only_candidate_is_meant(sessions: Path) -> None:
    make(sessions, "26-01-20-a", *DONE)
    make(sessions, "26-01-21-b", *BLOCKED)
    assert resolve(sessions, None).name == "26-01-21-b"  # the one that is not done
    assert resolve(sessions, None, lambda state: state.condition is Condition.DONE).name == "26-01-20-a"


def test_several_candidates_are_named(sessions: Path) -> None:
    make(sessions, "26-01-20-a")
    make(sessions, "26-01-21-b")
    with pytest.raises(SessionError, match="which session\\? name one of: 26-01-21-b, 26-01-20-a"):
        resolve(sessions, None)


def test_no_candidate_says_how_to_start_one(sessions: Path) -> None:
    with pytest.raises(SessionError, match=r"there is none that fits in .*_sessions; start one: samoloop run"):
        resolve(sessions, None)


def test_an_unknown_name_is_answered_with_those_there_are(sessions: Path) -> None:
    with pytest.raises(SessionError, match=r"there is no session 'auth' in .*; there are: none yet"):
        resolve(sessions, "auth")
    make(sessions, "26-01-20-fix-auth")
    with pytest.raises(SessionError, match="there are: 26-01-20-fix-auth"):
        resolve(sessions, "auth")


@pytest.mark.parametrize("name", ["fix", "26-01-20", "26-01-20-fix-a", "{sessions}/26-01-20-fix-auth/"])
def test_a_beginning_or_the_folder_is_enough(sessions: Path, name: str) -> None:
    make(sessions, "26-01-20-fix-auth")
    make(sessions, "26-01-21-auth")
    assert resolve(sessions, name.format(sessions=sessions)).name == "26-01-20-fix-auth"


def test_a_beginning_of_several_lists_them(sessions: Path) -> None:
    make(sessions, "26-01-20-auth-a")
    make(sessions, "26-01-21-auth-b")
    with pytest.raises(SessionError, match="'auth' is the beginning of several sessions; which one: 26-01-21-auth-b, "):
        resolve(sessions, "auth")


def test_a_whole_name_is_meant_before_what_it_begins(sessions: Path) -> None:
    make(sessions, "26-01-20-auth")
    make(sessions, "26-01-21-auth-b")
    assert resolve(sessions, "auth").name == "26-01-20-auth"


@pytest.mark.parametrize("name", ["fix-auht", "auth", "26-01-20-fix-aut h"])
def test_a_typo_is_answered_with_the_nearest_name(sessions: Path, name: str) -> None:
    make(sessions, "26-01-20-fix-auth")
    with pytest.raises(SessionError, match=r"did you mean (26-01-20-)?fix-auth\?"):
        resolve(sessions, name)


@pytest.mark.parametrize("name", ["", "..", "/", "/etc", "a/b", "\0", "x" * 5000])
def test_what_cannot_be_a_name_is_none(sessions: Path, name: str) -> None:
    make(sessions, "26-01-20-fix-auth")
    with pytest.raises(SessionError, match="there is no session"):
        resolve(sessions, name)


def test_a_damaged_session_is_in_nobody_s_way(sessions: Path) -> None:
    make(sessions, "26-01-20-a", *BLOCKED)
    broken = make(sessions, "26-01-21-b")
    broken.journal.path.write_bytes(b"{broken}\n{}\n")
    assert resolve(sessions, None).name == "26-01-20-a"
    with pytest.raises(SessionError, match="damaged"):
        resolve(sessions, "b").state()


# --- one session ------------------------------------------------------------------------------------------------------


def test_the_plan_of_a_session_is_its_newest_by_name_whichever_was_touched_last(sessions: Path) -> None:
    session = make(sessions, "26-11-21-add-login")
    assert session.plan() is None
    for name in ("11-21-1000-plan-b.md", "11-21-0900-plan-a.md", "11-21-1100-testing-c.md"):
        (session.dir / name).write_text(name)
    assert session.plan() == session.dir / "11-21-1000-plan-b.md"


def test_a_session_knows_what_it_was_created_with(sessions: Path) -> None:
    session = make(sessions, "26-11-21-add-login")
    assert (session.name, session.task, session.branch) == ("26-11-21-add-login", "Add login", "samoloop/add-login")
    assert session.worktree == Path("/p/.samoloop/worktrees/26-11-21-add-login")
    assert session.logs == session.dir / "_logs"


@pytest.mark.parametrize("content", [None, b"", b"\n", b'{"event":"crea'])
def test_a_folder_without_a_journal_holds_no_session(sessions: Path, content: bytes | None) -> None:
    if content is not None:
        (sessions / "_history.jsonl").write_bytes(content)
    session = Session(sessions)
    for _ in range(2):  # nor when it is asked again
        with pytest.raises(SessionError, match=r"holds no session: _history\.jsonl is missing or empty"):
            session.state()


def test_what_is_recorded_acts_on_the_state_at_once_and_after_a_restart(sessions: Path) -> None:
    session = make(sessions, "26-11-21-a")
    session.record(Halted(condition=Condition.STOPPED, reason="stopped by a person"))
    assert session.state().condition is Condition.STOPPED
    assert Session(session.dir).state() == session.state()


def test_a_record_that_nobody_understands_is_not_written(sessions: Path) -> None:
    session = make(sessions, "26-11-21-a")
    with session.journal.path.open("a") as file:
        file.write('{"event":"teleported"}\n')
    before = session.journal.path.read_bytes()
    with pytest.raises(SessionError):
        Session(session.dir).record(Noted())
    assert session.journal.path.read_bytes() == before
