"""A copy is made and renewed whatever lies there, and whatever cuts it off."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git
from machines import Machine, make_fleet, remote_git

from samoloop.api.asked import Order
from samoloop.api.hand_off import hand_off
from samoloop.base import effects
from samoloop.base.errors import SessionError
from samoloop.core import gates, hearing
from samoloop.core.decision import Condition
from samoloop.core.records import Archived, Ended, Placed
from samoloop.core.session import Session
from samoloop.fleet import copies, together
from samoloop.fleet import mark as marks
from samoloop.fleet.here import Here
from samoloop.fleet.parcel import Kind
from samoloop.git.checkpoint import ref_name
from samoloop.worker.lease import FILES

pytestmark = pytest.mark.slow


class Died(BaseException):
    """The machine is no more."""


def die_at(number: int) -> Callable[[str], None]:
    """An observer that lets the process die at the effect with this number."""
    met = []

    def at(point: str) -> None:
        met.append(point)
        if len(met) == number:
            raise Died(point)

    return at


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    return make_fleet(tmp_path, GOOD_CHILD)


def two_turns(machines: list[Machine]) -> tuple[Session, Session]:
    """Both have a copy and a worktree; the newest parcel, in which a question waits, is of the first machine."""
    one, two = machines
    name = one.hand_in().name
    there, _ = two.place(name)
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    here, _ = one.place(name)
    one.iterate(here)
    one.iterate(here)
    one.send(here, Kind.ITERATION)
    return here, there


def picture(machine: Machine, session: Session) -> dict[str, object]:
    """All that has to be the same on every machine."""
    with machine.at_work():
        session.forget()
        state = session.state()
        files = {
            path.name: path.read_bytes() for path in session.dir.iterdir() if path.is_file() and path.name[0] != "."
        }
        files = {name: data for name, data in files.items() if name not in ("_history.jsonl", "_signal.json")}
        names = sorted(path.name for path in session.worktree.glob("*")) if session.worktree.exists() else []
        return {
            "phase": state.phase, "iteration": state.iteration, "gate": state.gate, "condition": state.condition,
            "files": files, "head": machine.git("rev-parse", session.branch), "names": names,
            "ref": machine.git("rev-parse", ref_name(session.name)),
            "inbox": (gates.read_text(session.control / gates.INBOX) or ""),
        }  # fmt: skip


def test_cut_off_at_each_effect_it_ends_as_if_nothing_had_been(machines: list[Machine]) -> None:
    here, there = two_turns(machines)
    one, two = machines
    worktree = there.worktree
    with two.at_work():
        (there.dir / "notes.md").write_text("of a person\n")
        hearing.tell(there, "mind the gap", "bob")
        (worktree / "mine.txt").write_text("of a person\n")
        (worktree / "hello.txt").write_text("changed by a person\n")
    for number in range(1, 200):
        with pytest.MonkeyPatch.context() as patch, two.at_work():
            patch.setattr(effects, "observer", die_at(number))
            try:
                two.place(there.name)
                break
            except Died:
                continue
    assert number > 12
    wanted = picture(one, here)
    found = picture(two, there)
    assert found.pop("inbox") == "From bob:\nmind the gap\n\n"
    assert dict(found["files"]).pop("notes.md") == b"of a person\n"  # type: ignore[call-overload]
    found["files"].pop("notes.md")  # type: ignore[attr-defined]
    wanted.pop("inbox")
    assert found == wanted
    assert not (worktree / "mine.txt").exists()
    assert (worktree / "hello.txt").read_text() == "hello\n"
    kept = two.git("for-each-ref", "--format=%(refname)", "refs/samoloop/aside").splitlines()
    assert len(kept) == 2, "before and after the code was put, however often it was tried"
    held = [two.git("log", "--format=%H", "-m", ref, "--", "mine.txt") for ref in kept]
    assert any(held), "what a person did in the worktree is kept aside"
    with two.at_work():
        assert together.unsent(there)
        assert len([one for one in there.journal.read() if isinstance(one, Placed)]) == 3


def put_away(machine: Machine, session: Session) -> None:
    """Archived there, and handed over."""
    with machine.at_work():
        git(machine.root, "worktree", "remove", str(session.worktree))
        session.record(Archived(by="Ann"))
    machine.send(session, Kind.MOVED)


def test_a_session_that_was_archived_elsewhere_is_archived_here_until_it_is_taken_up_again(
    machines: list[Machine],
) -> None:
    here, there = two_turns(machines)
    one, two = machines
    put_away(one, here)
    there, _ = two.place(there.name)
    with two.at_work():
        assert there.state().archived and not there.worktree.exists()
    with one.at_work():
        hearing.tell(here, "one more thing", "Ann")
    one.iterate(here, by="Ann")
    one.send(here, Kind.ITERATION)
    there, _ = two.place(there.name)
    with two.at_work():
        assert not there.state().archived and there.state().worktree_is_new


def test_what_git_does_not_know_in_the_worktree_of_an_archived_session_is_kept_aside(machines: list[Machine]) -> None:
    here, there = two_turns(machines)
    one, two = machines
    with two.at_work():
        (there.worktree / "mine.txt").write_text("of a person\n")
    put_away(one, here)
    _, said = two.place(there.name)
    ref = two.git("for-each-ref", "--format=%(refname)", "refs/samoloop/aside").strip()
    assert ref in "".join(said) and two.git("log", "--format=%H", "-m", ref, "--", "mine.txt")
    with two.at_work():
        assert not there.worktree.exists()


def test_a_first_copy_is_cut_off_at_each_effect(machines: list[Machine]) -> None:
    one, two = machines
    name = one.hand_in().name
    here = one.session(name)
    one.iterate(here)
    one.send(here, Kind.ITERATION)
    for number in range(1, 200):
        with pytest.MonkeyPatch.context() as patch, two.at_work():
            patch.setattr(effects, "observer", die_at(number))
            try:
                there, _ = two.place(name)
                break
            except Died:
                continue
    assert number > 10
    assert {**picture(two, there), "names": []} == {**picture(one, here), "names": []}
    assert two.git("for-each-ref", "refs/samoloop/aside") == ""
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    with two.at_work():
        assert there.state().iteration == here.state().iteration + 1


def test_a_push_that_nobody_heard_of_is_found_to_be_one_s_own(machines: list[Machine]) -> None:
    one, two = machines
    name = one.hand_in().name
    there, _ = two.place(name)
    two.iterate(there)
    with pytest.MonkeyPatch.context() as patch, two.at_work():

        def dies(point: str) -> None:
            if point == "after push parcel":
                raise Died

        patch.setattr(effects, "observer", dies)
        with pytest.raises(Died):
            two.send(there, Kind.ITERATION)
    before = picture(two, there)
    with two.at_work():
        base = marks.read(there.dir)
    _, said = two.place(name)
    assert said == []
    assert picture(two, there) == before
    with two.at_work():
        assert marks.read(there.dir) != base
    assert two.git("for-each-ref", "refs/samoloop/aside") == ""


def test_a_name_that_another_session_has_is_taken(machines: list[Machine]) -> None:
    one, two = machines
    name = one.hand_in().name
    with two.at_work():
        own = hand_off(Order(two.root, "Another thing", base="HEAD", name="auth", said=two.said), two.environ)
        assert own.name == name
    with pytest.raises(SessionError, match="another session than the fleet's"):
        two.place(name)
    with two.at_work():
        assert own.state().created.title == "Another thing"


def test_a_branch_of_that_name_with_other_commits_stays_as_it_is(machines: list[Machine]) -> None:
    one, two = machines
    session = one.hand_in()
    two.git("switch", "--quiet", "--create", session.branch)
    two.git("commit", "--quiet", "--allow-empty", "-m", "Mine")
    two.git("switch", "--quiet", "trunk")
    tip = two.git("rev-parse", session.branch)
    with pytest.raises(SessionError, match="git branch -m"):
        two.place(session.name)
    assert two.git("rev-parse", session.branch) == tip


def test_what_git_ignores_stays_on_a_machine(machines: list[Machine]) -> None:
    two = machines[1]
    _, there = two_turns(machines)
    with two.at_work():
        exclude = Path(two.git("rev-parse", "--git-common-dir"))
        (two.root / exclude / "info" / "exclude").write_text("build/\n")
        (there.worktree / "build").mkdir()
        (there.worktree / "build" / "out").write_text("large\n")
    two.place(there.name)
    assert (there.worktree / "build" / "out").read_text() == "large\n"


def test_a_link_in_place_of_a_file_is_not_written_through(machines: list[Machine], tmp_path: Path) -> None:
    """A child left it; what it leads to stays as it is."""
    _, there = two_turns(machines)
    two = machines[1]
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("precious\n")
    (there.dir / "_qa.md").unlink(missing_ok=True)
    (there.dir / "_qa.md").symlink_to(tmp_path / "precious" / "file")
    os.mkfifo(there.dir / "pipe.md")
    two.place(there.name)
    assert (tmp_path / "precious" / "file").read_text() == "precious\n"
    assert not (there.dir / "_qa.md").is_symlink()
    assert git(two.root, "status", "--porcelain") == ""
    assert remote_git(two, "for-each-ref", "--format=%(refname)", "refs/samoloop/fleet") != ""


WRITER = """
echo $SAMOLOOP_ITERATION > "$SAMOLOOP_WORKTREE/file$SAMOLOOP_ITERATION.txt"
next investigation
"""


def test_what_samoloop_put_back_on_one_machine_stays_away_on_the_next(tmp_path: Path) -> None:
    """The branch is ahead of the checkpoint then: what travels is what lay in the worktree."""
    one, two = make_fleet(tmp_path, WRITER)
    here = one.hand_in()
    there, _ = two.place(here.name)
    for machine, session in ((one, here), (two, there), (one, here)):
        session, said = machine.place(session.name)
        assert said == []
        machine.iterate(session)
        machine.send(session, Kind.ITERATION)
    there, said = two.place(here.name)
    assert said == []
    assert git(there.worktree, "status", "--porcelain") == ""
    assert {path.name for path in there.worktree.iterdir()} == {".git", "hello.txt"}


INSTALLER = """
[ $SAMOLOOP_ITERATION != 3 ] || echo two > "$SAMOLOOP_WORKTREE/package.json"
next implementation
"""


def test_setup_runs_once_on_a_machine_and_again_where_dependencies_changed(tmp_path: Path) -> None:
    log = tmp_path / "setups"
    one, two = make_fleet(tmp_path, INSTALLER, workflow="chore")
    for machine in (one, two):
        (machine.root / ".samoloop.yaml").write_text(f"setup: pwd >> {log}\n")
    here = one.hand_in()

    def turn(machine: Machine) -> int:
        session, _ = machine.place(here.name)
        machine.iterate(session)
        machine.send(session, Kind.ITERATION)
        return len(log.read_text().splitlines())

    assert [turn(machine) for machine in (one, two, one, two, one, two)] == [1, 2, 2, 3, 3, 3]
    last, _ = one.place(here.name)
    with one.at_work():
        assert last.state().iteration == 6


def test_a_copy_that_only_looks_on_does_not_forget_that_setup_is_due(tmp_path: Path) -> None:
    log = tmp_path / "setups"
    one, two = make_fleet(tmp_path, INSTALLER, workflow="chore")
    for machine in (one, two):
        (machine.root / ".samoloop.yaml").write_text(f"setup: pwd >> {log}\n")
    here = one.hand_in()
    for turns in (2, 3):  # of the first machine, while the second has a worktree and looks on
        there, _ = two.place(here.name)
        if turns == 2:
            two.iterate(there)
            two.send(there, Kind.ITERATION)
        for _ in range(turns):
            session, _ = one.place(here.name)
            one.iterate(session)
            one.send(session, Kind.ITERATION)
            two.place(here.name)
    before = len(log.read_text().splitlines())
    two.iterate(there)
    assert len(log.read_text().splitlines()) == before + 1


def test_the_half_iteration_of_a_dead_machine_is_told_elsewhere_and_set_aside_there(machines: list[Machine]) -> None:
    one, two = machines
    here = one.hand_in()
    with pytest.MonkeyPatch.context() as patch:

        def dies(point: str) -> None:
            if point == "after record started":
                raise Died

        patch.setattr(effects, "observer", dies)
        with pytest.raises(Died):
            one.iterate(here)
    (here.worktree / "half.txt").write_text("half\n")
    there, said = two.place(here.name, ("Iteration 1 was begun on one, which died.",))
    assert said == []
    two.iterate(there)
    with two.at_work():
        prompt = sorted(there.logs.glob("*.prompt.md"))[-1].read_text()
        assert "Iteration 1 was begun on one, which died." in prompt
        assert there.state().iteration == 1
    two.send(there, Kind.ITERATION)
    here, said = one.place(here.name)
    assert len(said) == 1 and "changed files of the worktree" in said[0]
    assert not (here.worktree / "half.txt").exists()
    ref = one.git("for-each-ref", "--format=%(refname)", "refs/samoloop/aside")
    assert "half.txt" in one.git("log", "-m", "--name-only", "--format=", ref)
    one.iterate(here)
    one.send(here, Kind.ITERATION)
    with one.at_work():
        assert here.state().iteration == 2


def test_an_iteration_that_its_worker_could_not_end_runs_again_on_the_machine_that_takes_it(
    machines: list[Machine],
) -> None:
    """Its signal travels with the session's files, its code does not: the one says nothing without the other."""
    one, two = machines
    here = one.hand_in()
    with pytest.MonkeyPatch.context() as patch:

        def refuses(point: str) -> None:
            if point == "before record ended":
                raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(effects, "observer", refuses)
        one.iterate(here)
    this = Here("one", "", "", "", 30.0, "default")
    with one.at_work(), FILES.taken(here):
        assert here.state().open and here.state().failure
        copies.hand_over(here, Kind.ITERATION, this, one.environ, "", copies.not_again)
    there, _ = two.place(here.name)
    with two.at_work():
        assert (there.state().open, there.state().condition) == (None, Condition.FAILED)
    two.iterate(there)
    with two.at_work():
        assert [one.attempt for one in there.journal.read() if isinstance(one, Ended)] == [2]


@pytest.mark.parametrize("refs", ["fleet", "sessions"])
def test_the_lock_of_a_ref_that_a_killed_git_left_keeps_nobody_off_for_ever(machines: list[Machine], refs: str) -> None:
    one, two = machines
    here = one.hand_in()
    there, _ = two.place(here.name)
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    lock = one.root / ".git" / "refs" / "samoloop" / refs / f"{here.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    os.utime(lock, (0, 0))
    here, _ = one.place(here.name)
    with one.at_work():
        assert here.state().iteration == 1 and not lock.exists()
