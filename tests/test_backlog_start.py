"""A task becomes a session: once, on what the ones before it made, and with a merge where git alone cannot."""

import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from kit import Bench, git, make_repo, script

from samoloop.api import backlog, backlog_start
from samoloop.base import effects
from samoloop.base.clock import Clock
from samoloop.base.errors import UsageError
from samoloop.config import task_files
from samoloop.core.backlog import Standing
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.records import FromBacklog, Merge
from samoloop.core.session import Session, all_sessions, task_of
from samoloop.git import joining
from samoloop.git.repo import Repo
from samoloop.queue.tasks import Tasks
from samoloop.worker.integration import integration_findings

# `exec`: writes the file that the task names, with its own name in it, and merges what it is told to merge.
CHILD = """
case $SAMOLOOP_PHASE in
integration)
  [ -e skipped ] || { touch skipped; next exec; exit; }
  cd "$SAMOLOOP_WORKTREE"
  git -c user.name=C -c user.email=c@x merge --no-ff $(cat "$SAMOLOOP_SESSION_DIR/other") >&2 || {
    printf 'both\\n' > shared.txt; git add shared.txt; git -c user.name=C -c user.email=c@x commit -qm Both >&2; }
  cd "$SAMOLOOP_SESSION_DIR"; next exec;;
exec)
  set -- $(cat _task.md); echo "$2" > "$SAMOLOOP_WORKTREE/$1"
  signal "{\\"status\\": \\"done\\", \\"summary\\": \\"wrote $1\\"}";;
esac
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, CHILD), {"workflow": "exec"})


def add(bench: Bench, name: str, text: str, **keys: object) -> None:
    backlog.add(bench.root, task_files.written(text, keys), bench.environ, time.time(), name=name)


def look(bench: Bench) -> backlog.Found:
    return backlog.look(bench.root, bench.environ, time.time() + 5)


def begin(bench: Bench, name: str) -> tuple[Session, tuple[str, ...]]:
    found = look(bench)
    return backlog_start.start(found, found.named(name), bench.environ)


def do(bench: Bench, name: str) -> Session:
    session, _ = begin(bench, name)
    assert bench.run(session).exit_code == 0
    return Session(session.dir)


@pytest.fixture(autouse=True)
def settings(bench: Bench) -> None:
    (bench.root / ".samoloop.yaml").write_text(json.dumps(bench.said))


def test_a_task_has_one_session_however_often_it_is_asked_for(bench):
    add(bench, "auth", "auth.txt a", priority=2)
    found = look(bench)
    one = found.named("auth")
    session, _ = backlog_start.start(found, one, bench.environ)
    assert task_of(session) is not None and session.undated == "auth"
    with pytest.raises(UsageError, match=f"the task auth has the session {session.name}"):
        backlog_start.start(found, one, bench.environ)
    assert look(bench).named("auth").run is not None


@pytest.mark.slow
def test_a_dependent_starts_on_the_branch_of_the_one_before_it(bench):
    add(bench, "store", "store.txt s")
    add(bench, "api", "api.txt a", after=("store",))
    store = do(bench, "store")
    api, notes = begin(bench, "api")
    created = api.state().created
    assert created.base == git(bench.root, "rev-parse", store.branch) and created.start == store.branch
    assert notes == () and created.backlog.merges == ()


@pytest.mark.slow
def test_what_a_person_merged_by_hand_is_the_usual_base_also_when_its_branch_is_gone(bench):
    add(bench, "store", "store.txt s")
    add(bench, "api", "api.txt a", after=("store",))
    store = do(bench, "store")
    git(bench.root, "merge", "--quiet", "--no-ff", "-m", "Mine", store.branch)
    git(bench.root, "worktree", "remove", "--force", str(store.worktree))
    git(bench.root, "branch", "-D", store.branch)
    api, _ = begin(bench, "api")
    assert api.state().created.base == git(bench.root, "rev-parse", "HEAD") and api.state().created.start == ""


@pytest.mark.slow
def test_a_branch_that_is_gone_with_its_work_is_said_and_the_task_waits(bench):
    add(bench, "store", "store.txt s")
    add(bench, "api", "api.txt a", after=("store",))
    store = do(bench, "store")
    commit = git(bench.root, "rev-parse", store.branch)
    git(bench.root, "worktree", "remove", "--force", str(store.worktree))
    git(bench.root, "branch", "-D", store.branch)
    with pytest.raises(UsageError, match=f"git branch {store.branch} {commit[:12]}"):
        begin(bench, "api")
    git(bench.root, "update-ref", "refs/remotes/origin/store", commit)  # it was pushed, and cleared away here
    api, notes = begin(bench, "api")
    assert api.state().created.base == commit and "its work is taken from origin/store" in notes[0]


@pytest.mark.slow
def test_a_branch_that_was_rewritten_is_taken_as_it_is_and_said(bench):
    add(bench, "store", "store.txt s")
    add(bench, "api", "api.txt a", after=("store",))
    store = do(bench, "store")
    git(store.worktree, "commit", "--quiet", "--amend", "-m", "Mine")
    api, notes = begin(bench, "api")
    assert api.state().created.base == git(bench.root, "rev-parse", store.branch) and "was rewritten" in notes[0]


@pytest.mark.slow
def test_two_that_do_not_meet_are_merged_by_git_alone(bench):
    add(bench, "one", "one.txt 1")
    add(bench, "two", "two.txt 2")
    add(bench, "both", "both.txt b", after=("one", "two"))
    one, two = do(bench, "one"), do(bench, "two")
    session, notes = begin(bench, "both")
    created = session.state().created
    assert notes == () and created.backlog.merges == () and created.start == f"{one.branch} and {two.branch}"
    assert created.workflow.names == ("init", "exec")
    assert git(bench.root, "ls-tree", "--name-only", created.base).split() == ["hello.txt", "one.txt", "two.txt"]
    parents = [git(bench.root, "rev-parse", one.branch), git(bench.root, "rev-parse", two.branch)]
    assert git(bench.root, "log", "-1", "--format=%P", created.base).split() == parents


@pytest.mark.slow
def test_a_conflict_is_the_first_action_of_a_child_and_the_phase_is_not_left_before_it_is_merged(bench):
    add(bench, "one", "shared.txt 1")
    add(bench, "two", "shared.txt 2")
    add(bench, "both", "both.txt b", after=("one", "two"))
    one, two = do(bench, "one"), do(bench, "two")
    session, notes = begin(bench, "both")
    created = session.state().created
    assert created.workflow.names == ("init", "integration", "exec")
    assert [merge.branch for merge in created.backlog.merges] == [two.branch] and "a child merges" in notes[0]
    (session.dir / "other").write_text(created.backlog.merges[0].commit)
    assert bench.run(session).exit_code == 0
    assert [record.phase for record in bench.view.ended_records][-3:] == ["integration", "integration", "exec"]
    first = bench.view.ended_records[-3].decision
    assert first.vetoed and f"Not merged into the branch yet: {two.branch}" in first.notes[-1].text
    tip = git(bench.root, "rev-parse", session.branch)
    repo = Repo.find(bench.root)
    assert all(joining.is_in(repo, git(bench.root, "rev-parse", other.branch), tip) for other in (one, two))
    assert git(bench.root, "show", f"{tip}:shared.txt") == "both"
    prompt = next((Session(session.dir).logs).glob("001-integration*prompt*")).read_text()
    assert "## To be merged" in prompt and two.branch in prompt and "wrote shared.txt" in prompt


def test_the_phase_is_left_when_each_commit_is_in_the_branch_and_not_before(bench):
    first = git(bench.root, "rev-parse", "HEAD")
    git(bench.root, "commit", "--quiet", "--allow-empty", "-m", "Theirs")
    theirs = git(bench.root, "rev-parse", "HEAD")
    link = FromBacklog(task="both", merges=(Merge(session="s", branch="samoloop/s", commit=theirs),))
    worker = SimpleNamespace(
        state=SimpleNamespace(created=SimpleNamespace(backlog=link)), store=Repo.find(bench.root).store
    )

    def found(head: str, phase: str = "integration", leaves: bool = True) -> list[Evidence]:
        committed = SimpleNamespace(snapshot=SimpleNamespace(head=head))
        finished = SimpleNamespace(started=SimpleNamespace(phase=phase), leaves=lambda: leaves, committed=committed)
        return integration_findings(worker, finished)  # type: ignore[arg-type]

    assert [seen.weight for seen in found(first)] == [Weight.VETO] and "samoloop/s" in found(first)[0].text
    assert found(theirs) == found(first, leaves=False) == found(first, phase="exec") == []


@pytest.mark.slow
def test_one_that_another_holds_already_is_not_merged_again(bench):
    add(bench, "one", "one.txt 1")
    add(bench, "two", "two.txt 2", after=("one",))
    add(bench, "three", "three.txt 3", after=("one", "two"))
    do(bench, "one")
    two = do(bench, "two")
    assert begin(bench, "three")[0].state().created.base == git(bench.root, "rev-parse", two.branch)


@pytest.mark.slow
def test_a_fork_that_is_done_counts_for_a_task_whose_session_is_not(bench):
    add(bench, "store", "store.txt s")
    add(bench, "api", "api.txt a", after=("store",))
    store = do(bench, "store")
    from samoloop.api.rewind import fork

    forked = fork(store, 0, "store-2", bench.environ)
    assert look(bench).named("store").run.session == store.name
    assert look(bench).named("api").standing is Standing.READY
    assert task_of(forked) == task_of(store)


@pytest.mark.slow
def test_a_session_that_is_no_task_can_be_waited_for(bench):
    session = bench.session("x.txt x", name="begun")
    add(bench, "api", "api.txt a", after=("begun",))
    assert look(bench).named("api").standing is Standing.AFTER
    bench.run(session)
    assert look(bench).named("api").standing is Standing.READY
    assert begin(bench, "api")[0].state().created.base == git(bench.root, "rev-parse", session.branch)


@pytest.mark.slow
def test_names_of_sessions_elsewhere_and_of_several_are_refused_with_what_to_do(bench, tmp_path, monkeypatch):
    from samoloop.config import projects

    other = Bench(make_repo(tmp_path / "other"), bench.child, {"workflow": "exec"})
    other.session("x.txt x", name="theirs")
    projects.register(other.root, bench.environ)
    for day in (1, 2):
        monkeypatch.setattr(Clock, "local", lambda clock, day=day: datetime(2026, 11, day).astimezone())
        bench.session("x.txt x", name="twice")
    with pytest.raises(UsageError, match=f"a session of {other.root}"):
        add(bench, "api", "api.txt a", after=("theirs",))
    with pytest.raises(UsageError, match="several sessions are called so"):
        add(bench, "api", "api.txt a", after=("twice",))


def test_a_text_that_was_changed_since_is_said_and_the_session_keeps_its_own(bench):
    add(bench, "auth", "auth.txt a")
    session, _ = begin(bench, "auth")
    path = task_files.path_of(bench.root, "auth")
    path.write_text("auth.txt b\n")
    assert look(bench).edited == {"auth"} and (session.dir / "_task.md").read_text() == "auth.txt a\n"
    path.write_text("---\npriority: 3\n---\nauth.txt a\n")
    assert look(bench).edited == frozenset()


def test_dropping_and_the_order(bench):
    add(bench, "one", "one.txt 1")
    add(bench, "two", "two.txt 2", after=("one",))
    now = time.time()
    with pytest.raises(UsageError, match="two waits for one: drop that too"):
        backlog.drop(bench.root, ["one"], bench.environ, now)
    before = task_files.path_of(bench.root, "two").stat().st_mtime_ns
    backlog.first(bench.root, "two", bench.environ, now)
    assert look(bench).named("two").task.priority == 1
    assert task_files.path_of(bench.root, "two").stat().st_mtime_ns == before  # as old as it was
    backlog.hold(bench.root, "one", True, bench.environ, now)
    assert look(bench).named("one").standing is Standing.HELD
    backlog.hold(bench.root, "one", False, bench.environ, now)
    assert backlog.drop(bench.root, ["one", "two"], bench.environ, now)[0].startswith("one was dropped")
    assert look(bench).stands == () and (bench.root / ".samoloop/backlog/dropped/one.md").read_text() == "one.txt 1\n"


def test_a_thousand_tasks_and_as_many_sessions_are_read_once_and_a_list_takes_less_than_a_second(bench, monkeypatch):
    folder = bench.root / ".samoloop/backlog"
    folder.mkdir(parents=True)
    for number in range(1000):
        after = f"after: [t{number - 1}]\n" if number % 3 else ""
        (folder / f"t{number}.md").write_text(f"---\n{after}priority: {number % 5}\n---\nDo {number}\n")
    known, reads = backlog.Known(), []
    read = task_files.read_task
    monkeypatch.setattr(task_files, "read_task", lambda *words: reads.append(words) or read(*words))
    start = time.process_time()
    found = backlog.look(bench.root, bench.environ, time.time(), known=known)
    assert time.process_time() - start < 1 and len(found.stands) == len(reads) == 1000
    os.utime(folder / "t7.md")
    backlog.look(bench.root, bench.environ, time.time(), known=known)
    assert len(reads) == 1001


def test_a_file_can_only_narrow_what_the_persons_own_settings_let_come_after_the_end(bench, tmp_path, monkeypatch):
    add(bench, "pr", "pr.txt p", finish="pr")
    add(bench, "none", "none.txt n", finish="none")
    add(bench, "silent", "silent.txt s")
    session, notes = begin(bench, "pr")
    assert session.state().created.settings["finish"] == "none" and "more than your own settings allow" in notes[0]
    own = tmp_path / "config" / "samoloop" / "config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("finish: push\n")
    monkeypatch.setattr(type(bench), "environ", {**bench.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")})
    session, notes = begin(bench, "none")
    assert session.state().created.settings["finish"] == "none" and notes == ()
    assert "finish" not in begin(bench, "silent")[0].state().created.settings  # as the person's file says


def killed_at(number: int, begin: Callable[[], object]) -> bool:
    """Whether a process that does this came to its end, which is killed at that effect."""
    pid = os.fork()
    if pid == 0:
        left = [number]

        def look(point: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)

        effects.observer = look
        try:
            begin()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.slow
def test_a_start_that_is_killed_at_any_effect_leaves_no_session_or_one(bench):
    number = 1
    while True:
        name = f"t{number}"
        add(bench, name, f"{name}.txt x")
        found = look(bench)
        over = killed_at(number, lambda found=found, name=name: begin_of(found, name, bench))
        again = look(bench).named(name)
        if again.run is None:
            begin(bench, name)
        assert [link.task for link in map(task_of, all_sessions(bench.config.sessions_dir)) if link].count(name) == 1
        assert look(bench).named(name).standing is Standing.RUNS
        if over:
            break
        number += 1
    assert number > 5


def begin_of(found: backlog.Found, name: str, bench: Bench) -> object:
    return backlog_start.start(found, found.named(name), bench.environ)


def test_settings_that_changed_since_up_began_start_no_task_though_there_was_none_before(bench):
    tasks = Tasks(bench.environ, lambda sentence: None)
    tasks.look(bench.root, time.time())
    (bench.root / ".samoloop.yaml").write_text(json.dumps({**bench.said, "setup": "true"}))
    add(bench, "auth", "auth.txt a")
    tasks.look(bench.root, time.time())
    assert list(tasks.ready(bench.root, time.time())) == []  # it may be half saved
    due = next(tasks.ready(bench.root, time.time() + 2))
    with pytest.raises(UsageError, match="changed since `up` began"):
        due.session()
    again = Tasks(bench.environ, lambda sentence: None)
    again.look(bench.root, time.time())
    assert next(again.ready(bench.root, time.time() + 2)).session().undated == "auth"
