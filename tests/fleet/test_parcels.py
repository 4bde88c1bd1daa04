"""What comes from elsewhere is read with limits, by allowed names, never through links; what cannot be is refused."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from kit import GOOD_CHILD
from machines import Machine, make_fleet

from samoloop.api.asked import Order
from samoloop.api.hand_off import hand_off
from samoloop.base.errors import SessionError, UsageError
from samoloop.base.files import sha256
from samoloop.core.session import Session
from samoloop.fleet import parcel as parcels
from samoloop.fleet import transport
from samoloop.fleet.parcel import Damaged, Kind, Parcel

pytestmark = pytest.mark.slow


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    return make_fleet(tmp_path, GOOD_CHILD)


def plumb(machine: Machine, *words: str, stdin: bytes = b"") -> str:
    """Git as a stranger uses it, who keeps no rule."""
    done = subprocess.run(["git", *words], cwd=machine.root, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def raw_tree(machine: Machine, *entries: tuple[str, bytes, str]) -> str:
    content = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    return plumb(machine, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=content)


def blob(machine: Machine, content: bytes) -> str:
    return plumb(machine, "hash-object", "-w", "--stdin", stdin=content)


def forged(machine: Machine, parcel: Parcel, *session_entries: tuple[str, bytes, str], **facts: object) -> str:
    """The parcel with other files of the session, or with other facts, on the remote."""
    head, control = (plumb(machine, "rev-parse", f"{parcel.oid}:{name}") for name in ("parcel.json", "control"))
    tree = plumb(machine, "rev-parse", f"{parcel.oid}:session")
    if session_entries:
        tree = raw_tree(machine, *session_entries)
    if facts:
        known = json.loads(plumb(machine, "cat-file", "blob", head))
        head = blob(machine, json.dumps(known | facts).encode())
    return push_forged(machine, parcel, control, head, tree)


def push_forged(machine: Machine, parcel: Parcel, control: str, facts: str, session: str) -> str:
    parts = ("40000", b"control", control), ("100644", b"parcel.json", facts), ("40000", b"session", session)
    commit = ("commit-tree", raw_tree(machine, *parts), "-p", parcel.oid, "-m", "forged")
    oid = plumb(machine, "-c", "user.name=m", "-c", "user.email=m@x", *commit)
    plumb(machine, "push", "--quiet", "origin", f"{oid}:{transport.fleet_ref(parcel.name)}")
    return oid


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("120000", b"plan.md"),
        ("100644", b".."),
        ("100644", b".git"),
        ("100644", b".GIT"),
        ("100644", b"_history.jsonl"),
    ],
)
def test_what_no_machine_packs_is_refused_whole(
    machines: list[Machine], tmp_path: Path, mode: str, name: bytes
) -> None:
    one, two = machines
    session = one.hand_in()
    there, _ = two.place(session.name)
    before = sorted(path.name for path in there.dir.iterdir())
    forged(one, one.fetch(session.name), (mode, name, blob(one, b"/etc/passwd")))
    with pytest.raises(Damaged, match="which no machine packs: nothing was taken of it"):
        two.place(session.name)
    assert sorted(path.name for path in there.dir.iterdir()) == before


def test_a_nested_repository_is_refused(machines: list[Machine]) -> None:
    one, two = machines
    session = one.hand_in()
    parcel = one.fetch(session.name)
    forged(one, parcel, ("160000", b"vendored", parcel.head))
    with pytest.raises(Damaged):
        two.place(session.name)


def test_a_file_beyond_all_measure_is_refused(machines: list[Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = machines
    session = one.hand_in()
    parcel = one.fetch(session.name)
    monkeypatch.setattr(parcels, "LIMIT_BYTES", 1_000_000)
    forged(one, parcel, ("100644", b"large", blob(one, bytes(1_000_001))))
    with pytest.raises(Damaged, match="too large"):
        two.place(session.name)


@pytest.mark.parametrize("facts", [{"format": 2}, {"journal_format": 99}])
def test_a_newer_one_is_left_to_a_newer_samoloop(machines: list[Machine], facts: dict[str, int]) -> None:
    one, two = machines
    session = one.hand_in()
    forged(one, one.fetch(session.name), **facts)
    with pytest.raises(SessionError, match=r"newer than this one .*: update it here"):
        two.place(session.name)


def test_one_that_was_packed_before_parcels_were_numbered_is_counted(machines: list[Machine]) -> None:
    one, two = machines
    session = one.hand_in()
    parcel = one.fetch(session.name)
    head = json.loads(plumb(one, "cat-file", "blob", f"{parcel.oid}:parcel.json"))
    del head["number"]
    control, files = (plumb(one, "rev-parse", f"{parcel.oid}:{name}") for name in ("control", "session"))
    oid = push_forged(one, parcel, control, blob(one, json.dumps(head).encode()), files)
    counted = int(plumb(one, "rev-list", "--count", "--first-parent", oid))
    assert two.fetch(session.name).number == counted > parcel.number


@pytest.mark.parametrize(
    "facts",
    [
        {"session": "../../escape"},
        {"session": "a/b"},
        {"head": "--output=/tmp/x"},
        {"tip": "HEAD"},
        {"kept": "many"},
        {"notes": 3},
        {"sha256": "0" * 64},
    ],
)
def test_facts_that_cannot_be_are_damage(machines: list[Machine], facts: dict[str, object]) -> None:
    one, two = machines
    session = one.hand_in()
    forged(one, one.fetch(session.name), **facts)
    with pytest.raises(Damaged, match="damaged"):
        two.place(session.name)
    assert not (two.root.parent / "escape").exists()


def test_a_journal_that_no_worker_wrote_is_damage(machines: list[Machine]) -> None:
    """Its hash fits, its seals do not."""
    one, two = machines
    session = one.hand_in()
    with one.at_work():
        journal = session.control / "_history.jsonl"
        content = journal.read_bytes().replace(b'"title":"Add a feature"', b'"title":"Add a bug"')
        parcel = one.fetch(session.name)
        tail = blob(one, content)
        control = raw_tree(one, ("100644", b"tail.jsonl", tail))
        known = json.loads(plumb(one, "cat-file", "blob", f"{parcel.oid}:parcel.json"))
        facts = blob(one, json.dumps(known | {"sha256": sha256(content)}).encode())
        tree = plumb(one, "rev-parse", f"{parcel.oid}:session")
        push_forged(one, parcel, control, facts, tree)
    with pytest.raises(Damaged, match="its journal is not what was packed"):
        two.place(session.name)


def test_a_session_in_place_cannot_travel(tmp_path: Path) -> None:
    one = make_fleet(tmp_path, GOOD_CHILD, ("one",))[0]
    with one.at_work():
        session = hand_off(Order(one.root, "Add a feature", base=None, name="auth", said=one.said), one.environ)
        with pytest.raises(UsageError, match="works in place"):
            parcels.pack(session, Kind.HANDED_IN, one.name)


def test_what_a_child_left_in_the_folder_travels_only_as_plain_files(machines: list[Machine], tmp_path: Path) -> None:
    one, two = machines
    session = one.hand_in()
    (tmp_path / "secret").write_text("secret\n")
    (session.dir / "link.md").symlink_to(tmp_path / "secret")
    os.mkfifo(session.dir / "pipe.md")
    with (session.dir / "huge.bin").open("wb") as file:
        file.truncate(200_000_000)
    (session.dir / "plain.md").write_text("plain\n")
    one.send(session, Kind.MOVED)
    there, _ = two.place(session.name)
    names = {path.name for path in there.dir.iterdir()}
    assert "plain.md" in names and not names & {"link.md", "pipe.md", "huge.bin"}


def test_a_session_travels_without_what_it_knows_of_one_machine_alone(machines: list[Machine]) -> None:
    """A copy that nobody worked on gives on the journal that it got, however often it goes to and fro."""
    one, two = machines
    session: Session = one.hand_in()
    with one.at_work():
        one.iterate(session)
    one.send(session, Kind.ITERATION)
    first = one.fetch(session.name)
    for _ in range(3):
        there, _ = two.place(session.name)
        two.send(there, Kind.ACT, "ada")
        here, _ = one.place(session.name)
        one.send(here, Kind.ACT, "ada")
    last = one.fetch(session.name)
    assert (last.sha256, last.paths) == (first.sha256, first.paths) == (first.sha256, "one")
