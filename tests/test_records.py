"""Each record through JSON and back, and the journals that the first version really wrote."""

import ast
import hashlib
import json
import lzma
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from arbitrary import PROPERTY
from hypothesis import given
from hypothesis import strategies as st
from kit import make_repo, samoloop
from records import SMALL

from samoloop.base.errors import SessionError
from samoloop.core import records
from samoloop.core.fields import _annotations, read
from samoloop.core.journal import Journal
from samoloop.core.outcome import Outcome
from samoloop.core.records import Created, Ended, Noted, Record, RoomRecord, Setup, Started
from samoloop.core.roots import Root
from samoloop.core.signals import Signal, Status
from samoloop.core.state import State, fold
from samoloop.core.workflow import Workflow

PACKAGE = Path(__file__).parents[1] / "samoloop"
FIXTURE = Path(__file__).parent / "fixtures" / "journals" / "v1" / "v1.jsonl.xz"


def through_json(record: Record) -> Record:
    return records.read(json.loads(records.line(record)))


# --- any record -------------------------------------------------------------------------------------------------------

st.register_type_strategy(Workflow, st.just(SMALL))
st.register_type_strategy(Mapping, lambda of: st.dictionaries(*map(st.from_type, get_args(of))))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Path, st.text("ab ü/", min_size=1).map(Path))
st.register_type_strategy(Setup, st.builds(Setup, command=st.text(), exit_code=st.integers()))
st.register_type_strategy(Root, st.builds(Root, path=st.text(min_size=1).map(Path), inode=st.integers()))
st.register_type_strategy(
    records.Parent, st.builds(records.Parent, session=st.text(), iteration=st.integers(), checkpoint=st.text())
)
MERGES = st.builds(records.Merge, session=st.text(), branch=st.text(), commit=st.text())
TASKS = st.builds(
    records.FromBacklog, task=st.text(), due=st.floats(0, 1e10), merges=st.lists(MERGES, max_size=2).map(tuple)
)
st.register_type_strategy(records.FromBacklog, TASKS)
_JSON = st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans()))
_SPECIAL = {
    "at": st.sampled_from(["", "2026-11-21T10:05:00.123Z", "2026-11-21T10:05:00+01:00"]),
    "format": st.just(records.FORMAT),
    "signalled": st.none() | st.just({"status": "blocked", "reason": "x", "more": [1]}),
    "settings": _JSON,
    "environment": _JSON,
}


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    """A record of the core, of any type, each field of any value that its type allows."""
    kind = draw(st.sampled_from(sorted(Record.classes.values(), key=lambda kind: kind.event)))
    return kind(**{name: draw(_SPECIAL.get(name, st.from_type(of))) for name, of in _annotations(kind)})


@PROPERTY
@given(any_record())
def test_a_record_comes_back_from_json_as_it_was_written(record: Record) -> None:
    once = through_json(record)
    assert type(once) is type(record)
    assert through_json(once) == once
    assert records.line(once) == records.line(record)


def test_what_is_not_known_is_not_taken_for_the_default() -> None:
    """The exit code of a child that nobody saw end is no 0."""
    spelled = {"ended_by": "lost", "exit_code": None, "seconds": 1.0}
    assert read(Outcome, spelled).exit_code is None
    assert read(Outcome, {"ended_by": "exit", "seconds": 1.0}).exit_code == 0


def test_a_record_says_what_it_needs_and_takes_nothing_else() -> None:
    with pytest.raises(TypeError, match="Started needs iteration"):
        Started(attempt=1, phase="x", provider="y")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Noted has no words"):
        Noted(words="x")  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="does not change"):
        Noted().text = "x"  # type: ignore[misc]
    assert repr(Noted(text="x")) == "Noted(at='', text='x')"
    assert Noted(text="x").but(at="now") == Noted(at="now", text="x") != Noted(text="y")


@pytest.mark.parametrize(
    "value",
    [
        {"event": "started", "iteration": "1", "attempt": 1, "phase": "ask", "provider": "claude"},
        {"event": "started", "iteration": True, "attempt": 1, "phase": "ask", "provider": "claude"},
        {"event": "prepared", "phase": "ask", "notes": "none"},
        {"event": "prepared", "phase": "ask", "notes": [1]},
        {"event": "ended", "iteration": 1, "phase": "ask", "outcome": {}, "decision": {"kind": "teleport"}},
        {"event": "gate_closed", "gate": "g1", "kind": "qa_answers", "verdict": "answered", "answers": {"Q1": "A"}},
        {"event": "limit_shared", "provider": "claude", "not_before": "tomorrow"},
    ],
)
def test_a_value_of_another_type_is_refused_with_the_record_s_type_and_time(value: dict[str, Any]) -> None:
    with pytest.raises(SessionError, match=f"'{value['event']}' at 2026-11-21T10:00:00Z cannot be understood"):
        records.read({"at": "2026-11-21T10:00:00Z", **value})


def test_what_a_newer_version_added_to_a_record_is_ignored() -> None:
    assert records.read({"event": "noted", "text": "x", "colour": "red"}) == Noted(text="x")


def test_a_signal_is_kept_as_the_child_wrote_it() -> None:
    said = {"status": "done", "summary": " all good ", "mood": {"high": True}}
    value = {"event": "ended", "iteration": 1, "phase": "done", "decision": {"kind": "done"}, "signal": said}
    record = records.read(value)
    assert isinstance(record, Ended)
    assert record.signal == Signal(Status.DONE, summary="all good")
    assert record.to_json()["signal"] == said


# --- journals of the first version ------------------------------------------------------------------------------------


@cache
def first_version() -> dict[str, dict[str, Any]]:
    """Its journals by name: the text, and after each record the state that it folded."""
    with lzma.open(FIXTURE) as lines:
        return {journal["name"]: journal for journal in map(json.loads, lines)}


def fingerprint(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def as_the_first_version_showed(state: State) -> dict[str, Any]:
    """The state in its words: records as JSON, a workflow by its hash."""
    shown: dict[str, Any] = {}
    for item in fields(State):
        value = getattr(state, item.name)
        if isinstance(value, set):
            value = sorted(value)
        elif isinstance(value, list):
            value = [one.to_json() if hasattr(one, "to_json") else one for one in value]
        elif isinstance(value, Mapping):
            value = {key: vars(one) if hasattr(one, "__dict__") else one for key, one in value.items()}
        elif hasattr(value, "to_json"):
            value = json.loads(json.dumps(value.to_json()))
        elif item.name.endswith(("totals", "resume")):
            value = vars(value)
        shown[item.name] = value
    if created := shown.pop("creation"):
        workflow = fingerprint(created["workflow"])
        shown |= {"created": created | {"workflow": workflow}, "workflow": workflow}
    return shown


def expected(shown: dict[str, Any]) -> dict[str, Any]:
    """What the first version said, but for what was changed on purpose since."""
    told = [
        {key: words for key, words in note.items() if words}
        | {"text": note["text"] + "; do not commit it." if _is_update(note) else note["text"]}
        for note in shown["notes"]
    ]
    shown = {**shown, "notes": [note | {"text": note["text"].replace(".; ", "; ")} for note in told]}
    del shown["checkpoint"]  # nobody asked for it
    if shown["ended"]:  # the commits are asked of git
        shown["ended"] = {key: value for key, value in shown["ended"].items() if key != "commits"}
    return shown


def _is_update(note: Mapping[str, str]) -> bool:
    return note["text"].startswith("The person updated ")


def check(state: State, shown: dict[str, Any]) -> None:
    """Everything that the first version knew is as it said; what later ones know beside it may be there."""
    found, wanted = as_the_first_version_showed(state), expected(shown)
    for key in ("created", "prepared", "open", "ended", "gate", "totals", "since_resume"):
        if isinstance(wanted[key], dict):
            found[key] = {name: value for name, value in found[key].items() if name in wanted[key]}
    for phase, totals in wanted["phase_totals"].items():
        known = found["phase_totals"][phase].items()
        found["phase_totals"][phase] = {name: value for name, value in known if name in totals}
    assert {key: found[key] for key in wanted} == wanted


NAMES = sorted(first_version())


def read_all(folder: Path, text: str) -> list[Record]:
    path = folder / "_history.jsonl"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return list(Journal(path).read())


@pytest.mark.parametrize("name", NAMES)
def test_a_journal_of_the_first_version_folds_to_what_it_folded_at_the_end_and_at_each_cut(
    name: str, tmp_path: Path
) -> None:
    journal = first_version()[name]
    found = read_all(tmp_path, journal["journal"])
    assert len(found) == len(journal["states"])
    for count, shown in enumerate(journal["states"], 1):
        check(fold(found[:count]), shown)


def test_the_journals_hold_every_record_and_verdict_of_the_first_version(tmp_path: Path) -> None:
    found = [record for name in NAMES for record in read_all(tmp_path, first_version()[name]["journal"])]
    assert {record.event for record in found} == {
        *("created", "prepared", "started", "adopted", "ended", "interrupted", "gate_opened", "gate_closed"),
        *("gate_void", "moved", "resumed", "halted", "rested", "warned", "limit_shared", "rewound", "noted", "torn"),
    }
    verdicts = {record.verdict for record in found if isinstance(record, records.GateClosed)}
    assert verdicts == {"answered", "approve", "changes", "reject", "done", "updated"}
    workflows = {record.workflow.name for record in found if isinstance(record, Created)}
    assert len(workflows) == 10


def test_cut_at_any_byte_it_folds_to_what_the_whole_records_fold_to(tmp_path: Path) -> None:
    journal = first_version()["gates/every-gate"]
    whole = journal["journal"].encode()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in [*range(0, len(whole), 997), *range(ends[-4], len(whole) + 1)]:
        found = read_all(tmp_path, whole[:cut].decode("utf-8", "surrogateescape"))
        count = sum(end <= cut for end in ends)
        assert len(found) in (count, count + 1)  # one whose newline alone is missing counts
        if found:
            check(fold(found), journal["states"][len(found) - 1])


def test_records_of_a_room_between_those_of_the_core_change_nothing(tmp_path: Path) -> None:
    found = read_all(tmp_path, first_version()["gates/every-gate"]["journal"])
    mixed = []
    for record in found:
        mixed += [record, RoomRecord(name="page.seen", at=record.at, values={"gate": "g7", "phase": "ask"})]
    assert fold(map(through_json, mixed)) == fold(found)


# --- by the entrance that people use ----------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a session that the first version finished."""
    root = make_repo(tmp_path / "repo")
    folder = root / "_sessions" / "26-11-29-show"
    (folder / "_logs").mkdir(parents=True)
    text = first_version()["flow/feature"]["journal"].replace('"/p/', f'"{root}/').replace('"/p"', f'"{root}"')
    (folder / "_history.jsonl").write_text(text)
    return root


def test_a_session_of_the_first_version_is_shown_with_or_without_records_of_a_room(project: Path) -> None:
    path = project / "_sessions" / "26-11-29-show" / "_history.jsonl"
    before = json.loads(samoloop(project, "status", "show", "--json").stdout)
    assert before["condition"] == "done"
    with path.open("a") as file:
        file.write('{"event":"backlog.closed","at":"2026-11-30T10:00:00.000Z","item":7}\n')
    after = json.loads(samoloop(project, "status", "show", "--json").stdout)
    assert after == before | {"updated": "2026-11-30T10:00:00.000Z"}


@pytest.mark.parametrize("words", [["status"], ["resume"], ["log"], ["rewind", "show", "1"]])
def test_an_unknown_record_of_the_core_is_refused_and_nothing_touched(project: Path, words: list[str]) -> None:
    path = project / "_sessions" / "26-11-29-show" / "_history.jsonl"
    with path.open("a") as file:
        file.write('{"event":"teleported","at":"2026-11-30T10:00:00.000Z","to":"moon"}\n')
    before = path.read_bytes()
    done = samoloop(project, words[0], "show", *words[2:])
    assert done.returncode == 2
    assert "a record of type 'teleported', which this version does not know" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before


# --- who reads them ---------------------------------------------------------------------------------------------------


def test_nobody_but_the_reader_looks_at_a_record_by_its_keys() -> None:
    """A record has no keys, so only a look at the raw JSON could; that is for the reader and the journal."""
    assert not hasattr(Record, "__getitem__") and not hasattr(Record, "get")
    # `status` reads the end of the journal alone; the ledger is another file
    allowed = {"core/records.py", "core/journal.py", "api/status.py", "ui/telegram/ledger.py"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if _looks_for_a_type(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == allowed


def _looks_for_a_type(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        keys = [node.slice] if isinstance(node, ast.Subscript) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            keys = node.args[:1]
        if any(isinstance(key, ast.Constant) and key.value == "event" for key in keys):
            return True
    return False
