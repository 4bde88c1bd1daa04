"""What a remote takes, what it refuses, and what that means."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git
from machines import REMOTE, Machine, hook, make_fleet, remote_git

from samoloop.base.errors import UsageError
from samoloop.core import hearing
from samoloop.core.records import Ended
from samoloop.core.session import Session
from samoloop.fleet import mark as marks
from samoloop.fleet import parcel as parcels
from samoloop.fleet import transport
from samoloop.fleet.database import Database
from samoloop.fleet.lease import FleetLease
from samoloop.fleet.parcel import Kind
from samoloop.fleet.transport import Moved, Refused, RemoteGone
from samoloop.git import remote

pytestmark = pytest.mark.slow


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    return make_fleet(tmp_path, GOOD_CHILD)


@pytest.fixture
def bare(machines: list[Machine]) -> Path:
    return Path(git(machines[0].root, "config", "remote.origin.url"))


def refs(machine: Machine) -> dict[str, str]:
    lines = remote_git(machine, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split() for line in lines)  # type: ignore[misc]


def worked(machine: Machine) -> Session:
    session = machine.hand_in()
    machine.iterate(session)
    return session


def test_a_project_has_one_id_whoever_asks_first(machines: list[Machine]) -> None:
    one, two = machines
    found: dict[str, str] = {}

    def ask(machine: Machine) -> None:
        found[machine.name] = transport.project_id(machine.repo, REMOTE)

    both = [threading.Thread(target=ask, args=[machine]) for machine in machines]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found["one"] == found["two"] == transport.project_id(one.repo, REMOTE)
    assert re.fullmatch(r"[0-9a-f-]{36}", remote_git(two, "cat-file", "blob", found["one"]))


def test_a_push_brings_parcel_checkpoints_and_branch_together(machines: list[Machine]) -> None:
    one = machines[0]
    session = worked(one)
    assert one.send(session, Kind.ITERATION) == []
    found = refs(one)
    assert found[transport.fleet_ref(session.name)] == transport.listed(one.repo, REMOTE)[session.name]
    assert found[f"refs/heads/{session.branch}"] == one.git("rev-parse", session.branch)
    assert found[f"refs/samoloop/sessions/{session.name}"] == one.git(
        "rev-parse", f"refs/samoloop/sessions/{session.name}"
    )


def test_where_the_branch_is_refused_the_session_travels_without_it(machines: list[Machine], bare: Path) -> None:
    one, two = machines
    hook(bare, "update", 'case $1 in refs/heads/*) echo "no branches of robots"; exit 1;; esac')
    session = worked(one)
    notes = one.send(session, Kind.ITERATION)
    assert notes == [f"origin did not take refs/heads/{session.branch} (hook declined); it travels with the session"]
    assert f"refs/samoloop/sessions/{session.name}" in refs(one)
    there, _ = two.place(session.name)
    assert two.git("rev-parse", session.branch) == one.git("rev-parse", session.branch)
    two.iterate(there)


def test_one_hook_that_refuses_all_for_a_branch_lets_the_rest_through(machines: list[Machine], bare: Path) -> None:
    one = machines[0]
    hook(bare, "pre-receive", "while read old new ref; do case $ref in refs/heads/*) exit 1;; esac; done")
    session = worked(one)
    assert "did not take refs/heads/" in one.send(session, Kind.ITERATION)[0]
    assert transport.listed(one.repo, REMOTE)[session.name] == one.git("rev-parse", transport.fleet_ref(session.name))


def test_a_remote_that_takes_no_parcel_says_why(machines: list[Machine], bare: Path) -> None:
    one = machines[0]
    session = worked(one)
    before = refs(one)
    hook(bare, "pre-receive", 'echo "only tickets are pushed"; exit 1')
    with pytest.raises(Refused, match="only tickets are pushed") as caught:
        one.send(session, Kind.ITERATION)
    assert not isinstance(caught.value, Moved)
    assert refs(one) == before


def test_a_remote_without_atomic_pushes_takes_them_too(machines: list[Machine], bare: Path) -> None:
    one = machines[0]
    session = worked(one)
    git(bare, "config", "receive.advertiseAtomic", "false")
    assert one.send(session, Kind.ITERATION) == []
    assert f"refs/heads/{session.branch}" in refs(one)


def test_whoever_is_second_is_told_and_the_remote_stays_as_it_is(machines: list[Machine]) -> None:
    one, two = machines
    session = one.hand_in()
    there, _ = two.place(session.name)
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    before = refs(one)
    one.iterate(session)
    for _ in range(2):  # also where it knows the other's, by a fetch
        with pytest.raises(Moved):
            one.send(session, Kind.ITERATION)
        assert refs(one) == before
        one.fetch(session.name)


def test_a_remote_that_is_gone_can_be_tried_again(machines: list[Machine], bare: Path) -> None:
    one = machines[0]
    session = worked(one)
    bare.rename(bare.with_name("away"))
    with pytest.raises(RemoteGone, match="origin cannot be reached"):
        one.send(session, Kind.ITERATION)
    with pytest.raises(RemoteGone), one.at_work():
        transport.fetch(one.repo, REMOTE, session.name)
    with pytest.raises(RemoteGone), one.at_work():
        transport.listed(one.repo, REMOTE)
    bare.with_name("away").rename(bare)
    assert one.send(session, Kind.ITERATION) == []


@pytest.mark.parametrize(
    "said",
    [
        "fatal: Could not read from remote repository.",
        "ssh: Could not resolve hostname h: Temporary failure in name resolution",
        "fatal: unable to access 'https://h/': Could not connect to server",
        "fatal: the remote end hung up unexpectedly",
        "error: RPC failed; HTTP 503 curl 22 The requested URL returned error: 503",
        "fatal: early EOF",
    ],
)
def test_the_way_to_a_remote_may_be_open_again_later(machines: list[Machine], said: str) -> None:
    assert isinstance(trouble(machines[0], said), RemoteGone)


@pytest.mark.parametrize(
    "said",
    [
        "git@h: Permission denied (publickey). fatal: Could not read from remote repository.",
        "fatal: Authentication failed for 'https://h/'",
        "fatal: could not read Username for 'https://h': terminal prompts disabled",
        "Host key verification failed. fatal: Could not read from remote repository.",
        "fatal: unable to access 'https://h/': SSL certificate problem: unable to get local issuer certificate",
        "fatal: unable to access 'https://h/': The requested URL returned error: 403",
        "fatal: transport 'ext' not allowed",
    ],
)
def test_no_second_try_helps_where_somebody_has_to_log_in(machines: list[Machine], said: str) -> None:
    assert isinstance(trouble(machines[0], said), Refused)


def test_a_command_waits_for_a_remote_that_says_nothing_no_longer_than_for_an_answer(
    machines: list[Machine], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machines[0]
    session = one.hand_in()
    with Database(url, "one") as database:
        database.init()
    monkeypatch.setenv("SAMOLOOP_FLEET_DATABASE", url)
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, one.at_work():
        one.git("remote", "set-url", "origin", f"git://127.0.0.1:{silent.getsockname()[1]}/project.git")
        with pytest.raises(RemoteGone, match="cannot be reached: it took more than"):
            FleetLease(one.environ, "ada").taken(session).__enter__()


def trouble(machine: Machine, said: str) -> Exception:
    """What a fetch raises where the person's ssh says that."""
    program = machine.home / "ssh"
    program.write_text(f'#!/bin/sh\ncat >&2 <<"END"\n{said}\nEND\nexit 128\n')
    program.chmod(0o755)
    machine.git("config", "remote.origin.url", "ssh://h/repo")
    machine.git("config", "core.sshCommand", str(program))
    with pytest.raises((RemoteGone, Refused)) as caught:
        transport.listed(machine.repo, REMOTE)
    return caught.value


def test_a_login_in_an_address_is_never_repeated(machines: list[Machine]) -> None:
    one = machines[0]
    one.git("config", "remote.origin.url", "http://ada:geheim@127.0.0.1:1/x.git")
    with pytest.raises(RemoteGone) as caught:
        transport.listed(one.repo, REMOTE)
    assert "geheim" not in str(caught.value)


def test_what_a_child_made_of_the_push_settings_is_not_used(machines: list[Machine], tmp_path: Path) -> None:
    one = machines[0]
    session = worked(one)
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    one.git("config", "core.sshCommand", str(program))
    one.git("config", "remote.origin.pushurl", "ssh://h/repo")
    with pytest.raises(Refused, match="was changed since the first child"):
        one.send(session, Kind.ITERATION)
    assert not (tmp_path / "ran").exists()


def test_a_child_s_change_is_seen_on_the_second_machine_too(machines: list[Machine]) -> None:
    """What a push goes by there is compared with what it was there, and not with the first machine."""
    one, two = machines
    session = worked(one)
    one.send(session, Kind.ITERATION)
    there, _ = two.place(session.name)
    two.iterate(there)
    assert two.send(there, Kind.ITERATION) == []
    two.iterate(there)
    two.git("config", "remote.origin.pushurl", str(two.home / "elsewhere"))
    with pytest.raises(Refused, match=r"remote\.origin\.pushurl"):
        two.send(there, Kind.ITERATION)


def test_no_hook_of_the_person_runs(machines: list[Machine], tmp_path: Path) -> None:
    one = machines[0]
    hook(one.root / ".git", "pre-push", f"touch {tmp_path / 'ran'}; exit 1")
    session = worked(one)
    assert one.send(session, Kind.ITERATION) == []
    assert not (tmp_path / "ran").exists()


def test_names_on_a_remote_that_no_session_can_have_are_passed_over(machines: list[Machine]) -> None:
    one = machines[0]
    session = one.hand_in()
    remote_git(one, "update-ref", "refs/samoloop/fleet/%2E%2E%2Fetc", "HEAD")
    remote_git(one, "update-ref", "refs/samoloop/fleet/deep/er", "HEAD")
    assert list(transport.listed(one.repo, REMOTE)) == [session.name]
    assert transport.fetch(one.repo, REMOTE, "unknown") is None


def test_a_session_that_is_nobody_s_is_not_pushed(machines: list[Machine]) -> None:
    one = machines[0]
    session = one.hand_in()
    with one.at_work():
        oid = parcels.pack(session, Kind.ITERATION, one.name)
        marks.take_off(session.dir)
        with pytest.raises(UsageError, match="no session of a fleet"):
            transport.push(session, oid)


def test_large_files_of_git_lfs_go_first(
    machines: list[Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the pointers alone could not check them out."""
    one = machines[0]
    session = worked(one)
    lfs, said, seen = tmp_path / "programs" / "git-lfs", tmp_path / "said", tmp_path / "seen"
    lfs.parent.mkdir()
    lfs.write_text(f'#!/bin/sh\necho "$@" >> {said}\ngit ls-remote origin "refs/samoloop/fleet/*" >> {seen}\n')
    lfs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{lfs.parent}{os.pathsep}{os.environ['PATH']}")
    before = transport.listed(one.repo, REMOTE)[session.name]
    (one.root / ".git" / "lfs" / "objects" / "ab").mkdir(parents=True)
    one.send(session, Kind.ITERATION)
    after = transport.listed(one.repo, REMOTE)[session.name]
    assert said.read_text() == f"push origin {after}\n"
    assert before in seen.read_text()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is asked of git with the network."""
    found: list[str] = []
    reach = remote.reach

    def counted(repo: object, where: Path, *words: str) -> object:
        found.append(next(word for word in words if not word.startswith("-")))
        return reach(repo, where, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(remote, "reach", counted)
    yield found


def test_a_hop_asks_the_remote_once_each_way(machines: list[Machine], calls: list[str]) -> None:
    one, two = machines
    session = worked(one)
    calls.clear()
    one.send(session, Kind.ITERATION)
    two.place(session.name)
    assert calls == ["push", "fetch"]


def test_only_what_is_new_travels(machines: list[Machine], bare: Path) -> None:
    """However large the repository is: an iteration brings its own objects and no more."""
    one, two = machines
    large = one.root / "large"
    large.mkdir()
    for number in range(200):
        (large / f"{number}.bin").write_bytes(os.urandom(20_000))
    one.git("add", ".")
    one.git("commit", "--quiet", "-m", "Large")
    one.git("push", "--quiet", "origin", "HEAD:trunk")
    session = one.hand_in()
    there, _ = two.place(session.name)
    two.iterate(there)
    before = size_of(bare), size_of(one.root / ".git")
    two.send(there, Kind.ITERATION)
    one.place(session.name)
    grown = size_of(bare) - before[0], size_of(one.root / ".git") - before[1]
    assert before[0] > 4_000_000
    assert all(0 < bytes_ < 60_000 for bytes_ in grown), grown


def size_of(git_dir: Path) -> int:
    return sum(path.stat().st_size for path in (git_dir / "objects").rglob("*") if path.is_file())


def test_a_shallow_clone_is_a_machine_too(machines: list[Machine], bare: Path, tmp_path: Path) -> None:
    one, two = machines
    for number in range(3):
        (one.root / f"file{number}").write_text(str(number))
        one.git("add", ".")
        one.git("commit", "--quiet", "-m", f"Step {number}")
    one.git("push", "--quiet", "origin", "HEAD:trunk")
    root = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{bare}", str(root))
    third = Machine("three", two.home, root, two.child)
    session = one.hand_in()
    there, _ = third.place(session.name)
    third.iterate(there)
    third.send(there, Kind.ITERATION)
    here, said = one.place(session.name)
    assert said == []
    one.iterate(here)
    one.send(here, Kind.ITERATION)


def test_a_partial_clone_gets_what_a_session_needs(machines: list[Machine], bare: Path, tmp_path: Path) -> None:
    one, two = machines
    git(bare, "config", "uploadpack.allowFilter", "true")
    root = tmp_path / "partial"
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", f"file://{bare}", str(root))
    third = Machine("three", two.home, root, two.child)
    session = worked(one)
    one.send(session, Kind.ITERATION)
    there, _ = third.place(session.name)
    third.iterate(there)
    third.send(there, Kind.ITERATION)
    assert (there.worktree / "hello.txt").read_text() == "hello\n"


PUSHER = """
[ $SAMOLOOP_ITERATION != 1 ] || for name in samoloop/other mine; do
  git -C "$SAMOLOOP_WORKTREE" update-ref refs/remotes/origin/$name HEAD
done
next investigation
"""


def test_what_machines_push_for_other_sessions_is_laid_to_no_child(tmp_path: Path) -> None:
    """Git notes where a branch of the remote is whenever one is pushed."""
    one = make_fleet(tmp_path, PUSHER, ("one",))[0]
    one.hand_in(name="other")
    one.git("update-ref", "-d", "refs/remotes/origin/samoloop/other")
    session = one.hand_in()
    one.iterate(session)
    with one.at_work():
        notes = [note for record in session.journal if isinstance(record, Ended) for note in record.notes]
    told = [note for note in notes if "refs/remotes/" in note]
    assert len(told) == 1 and "refs/remotes/origin/mine" in told[0]


def test_a_ref_that_moves_while_the_remote_takes_a_push_counts_as_moved(tmp_path: Path) -> None:
    one, two = make_fleet(tmp_path, GOOD_CHILD)
    session = one.hand_in()
    there, _ = two.place(session.name)
    with two.at_work():
        hearing.tell(there, "be quick", "ada")
    two.send(there, Kind.ACT, "ada")
    ref = transport.fleet_ref(session.name)
    theirs, base = remote_git(one, "rev-parse", ref), remote_git(one, "rev-parse", f"{ref}^1")
    remote_git(one, "update-ref", ref, base)
    body = f"unset GIT_QUARANTINE_PATH; exec git update-ref {ref} {theirs}"
    hook(Path(git(one.root, "config", "remote.origin.url")), "pre-receive", body)
    one.iterate(session)
    with pytest.raises(Moved):
        one.send(session, Kind.ITERATION)
