"""What a person lets pass: in this session, of this kind, and in no fork."""

from records import created

from samoloop.api.rewind import _as_of_fork
from samoloop.checks.waivers import RECORD, checks_of, soften, waived
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.records import RoomRecord

WAIVED = RoomRecord(name=RECORD, values={"name": "plan", "why": "later", "by": "ann"})
VETO, NOTE = Evidence("plan", Weight.VETO, "open"), Evidence("plan", Weight.NOTE, "beside")
OTHER, BLOCK = Evidence("tree", Weight.VETO, "nothing"), Evidence("plan", Weight.BLOCK, "for a human")


def test_a_waiver_makes_notes_of_the_vetoes_of_its_kind_and_of_nothing_else():
    found = soften([VETO, NOTE, OTHER, BLOCK], {"plan": "later"})
    assert found == [Evidence("plan", Weight.NOTE, "open (waived by a person: later)"), NOTE, OTHER, BLOCK]


def test_what_was_waived_and_which_checks_there_are_is_read_from_the_journal():
    checks = RoomRecord(name="checks.found", values={"checks": [{"name": "pytest"}, {"name": "lint"}]})
    records = [created(), WAIVED, checks, RoomRecord(name="room.word")]
    assert waived(records) == {"plan": "later"} and checks_of(records) == ["pytest", "lint"]
    assert waived([]) == {} and checks_of([]) == []


def test_a_waiver_does_not_go_with_a_fork():
    own = created(session="26-11-21-fork")
    assert waived([_as_of_fork(WAIVED, own)]) == {}
    kept = RoomRecord(name="checks.found", values={"checks": []})
    assert _as_of_fork(kept, own) == kept
