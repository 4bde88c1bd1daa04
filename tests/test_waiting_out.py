"""Limits, backoff, ceilings and fallbacks in the real loop, with a clock that jumps."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, make_repo, script

from samoloop.base.clock import Clock
from samoloop.core import gates
from samoloop.core.records import Resumed
from samoloop.core.rules import Kind
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.worker import shared_limits

START = 1_800_000_000.0


@dataclass
class JumpingClock(Clock):
    """Waiting takes no time; the time goes by all the same."""

    present: float = START
    waited: float = 0.0

    def epoch(self) -> float:
        return self.present

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> bool:
        assert seconds is not None, "nothing would ever end this wait"
        self.present += max(seconds, 0.01)
        self.waited += seconds
        return False


def error(trouble: str, message: str, **fields: object) -> str:
    return f"echo '{json.dumps({'type': 'error', 'trouble': trouble, 'message': message, **fields})}'; exit 1"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))


def failing_once(bench: Bench, what: str, times: int = 1) -> Bench:
    """A child whose investigation fails so often in this way, then works."""
    body = f"""
    case $SAMOLOOP_PHASE in investigation)
      n=$(cat "$SAMOLOOP_WORKTREE/../n" 2>/dev/null || echo 0)
      if [ "$n" -lt {times} ]; then echo $((n+1)) > "$SAMOLOOP_WORKTREE/../n"; {what}; fi;;
    esac
    """
    return Bench(bench.root, script(bench.child.parent, body + GOOD_CHILD), settings={"providers": jsonl(bench)})


def jsonl(bench: Bench, *names: str) -> dict[str, dict[str, object]]:
    return {name: {"command": [str(bench.child)], "output": "jsonl"} for name in ("scripted", *names)}


def ended(session: Session) -> list[dict]:
    return [event for event in session.journal.read() if event.event == "ended"]


def test_a_five_hour_limit_is_slept_through_and_costs_no_attempt(bench):
    bench = failing_once(bench, error("usage_limit", "come back later", resets_at=START + 5 * 3600))
    clock, session = JumpingClock(), bench.session()
    decision = bench.run(session, clock=clock, no_wait=False, yes=True)
    assert decision.kind is Kind.DONE
    assert 5 * 3600 <= clock.waited < 5 * 3600 + 120
    assert [event.decision.kind for event in ended(session)][:2] == ["limited", "continue"]
    assert Session(session.dir).state().failures == 0


@pytest.mark.parametrize("seconds, told", [(5 * 3600, ["limited", "resumed"]), (60, [])], ids=["long", "short"])
def test_that_a_limit_is_over_is_told_where_it_was_told_that_it_began(bench, tmp_path, seconds, told):
    bench = failing_once(bench, error("usage_limit", "come back later", resets_at=START + seconds))
    bench.settings["announce"] = {"command": ["sh", "-c", f"cat >> {tmp_path}/heard; echo >> {tmp_path}/heard"]}
    assert bench.run(bench.session(), clock=JumpingClock(), no_wait=False, yes=True).kind is Kind.DONE
    said = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
    assert [given["kind"] for given in said if given["kind"] in ("limited", "resumed")] == told
    assert [given["text"] for given in said if given["kind"] == "resumed"] == ["the limit of scripted is over"][
        : len(told)
    ]


def test_without_waiting_a_limit_exits_with_3_and_is_remembered(bench):
    bench = failing_once(bench, error("usage_limit", "come back later", resets_at=START + 5 * 3600))
    session = bench.session()
    decision = bench.run(session, clock=JumpingClock())
    assert (decision.kind, decision.exit_code) == (Kind.LIMITED, 3)
    state = Session(session.dir).state()
    assert state.condition is Condition.LIMITED and state.not_before >= START + 5 * 3600
    assert bench.run(session, clock=JumpingClock(START + 60)).kind is Kind.LIMITED
    assert bench.run(session, clock=JumpingClock(START + 6 * 3600)).kind is Kind.WAIT


def test_a_limit_holds_for_every_session_of_the_provider(bench):
    bench = failing_once(bench, error("usage_limit", "come back later", resets_at=START + 5 * 3600))
    bench.run(bench.session(), clock=JumpingClock())
    other = bench.session("Another task")
    decision = bench.run(other, clock=JumpingClock(START + 60))
    assert (decision.kind, ended(other)) == (Kind.LIMITED, [])
    shared_limits.forget("scripted", os.environ)
    other.record(Resumed(by="Ann", now=True))
    assert bench.run(other, clock=JumpingClock(START + 60)).kind is Kind.WAIT


def test_a_limit_of_years_that_somebody_noted_is_not_believed_and_gives_way_to_a_true_one(bench):
    far = START + 80 * 365 * 24 * 3600
    shared_limits.write("scripted", far, "for ever", os.environ, now=far)
    assert bench.run(bench.session(), clock=JumpingClock()).kind is Kind.WAIT
    shared_limits.write("scripted", START + 60, "come back later", os.environ, now=START)
    assert shared_limits.read("scripted", os.environ, START) == (START + 60, "come back later")


def test_a_fallback_takes_over_while_the_first_is_limited_and_gives_back(bench):
    bench = failing_once(bench, error("usage_limit", "come back later", resets_at=START + 600))
    bench.settings = {"providers": jsonl(bench, "spare"), "fallback": ["spare"]}
    session = bench.session()
    assert bench.run(session, clock=JumpingClock()).kind is Kind.WAIT
    assert [event.provider for event in ended(session)] == ["scripted", "spare", "spare"]
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    bench.run(session, clock=JumpingClock(START + 3600))
    assert ended(session)[-1].provider == "scripted"


@pytest.mark.parametrize(
    "what, tries, trouble",
    [
        (error("login", "please log in"), 1, "login: please log in"),
        (error("billing", "no credit"), 1, "billing: no credit"),
        (error("overload", "529"), 1, "overload: 529"),
        ("exit 7", 2, "first ended with exit code 7 and no result: no message"),
    ],
    ids=["login", "billing", "overload", "crash"],
)
def test_a_fallback_stands_in_for_a_cli_that_cannot_and_steps_back_when_it_works_again(
    bench, tmp_path, what, tries, trouble
):
    broken = f"if [ -f {tmp_path}/broken ]; then {what}; fi\n"
    first, spare = script(tmp_path, broken + GOOD_CHILD, "first.sh"), script(tmp_path, GOOD_CHILD, "spare.sh")
    form = {"output": "jsonl"}
    bench.settings = {
        "provider": "first",
        "providers": {"first": {"command": [str(first)], **form}, "spare": {"command": [str(spare)], **form}},
        "fallback": ("spare",),
        "announce": {"command": ["sh", "-c", f"cat >> {tmp_path}/heard; echo >> {tmp_path}/heard"]},
    }
    (tmp_path / "broken").touch()
    session = bench.session()
    clock = JumpingClock()
    assert bench.run(session, clock=clock).kind is Kind.WAIT
    assert clock.waited < 10  # a crash has its second try
    assert [event.provider for event in ended(session)] == ["first"] * tries + ["spare"] * 2
    assert shared_limits.read("first", os.environ, START) == (0.0, "")  # another session's login may work
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    clock.present += 700  # it is tried again, and is still broken
    assert bench.run(session, clock=clock).kind is Kind.WAIT
    assert [event.provider for event in ended(session)][tries + 2 :] == ["first"] * tries + ["spare"] * 2
    (tmp_path / "broken").unlink()
    clock.present += 700
    assert bench.run(session, clock=clock, yes=True).kind is Kind.DONE
    assert ended(session)[-1].provider == "first"
    said = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
    turns = [given["text"] for given in said if given["kind"] == "stand_in"]
    assert turns == [f"spare stands in for first: {trouble}", "first works again"]
    assert not [given for given in said if given["kind"] in ("limited", "blocked", "failed")]


def test_without_a_free_fallback_all_is_as_before(bench):
    bench = failing_once(bench, error("login", "please log in"), times=1000)
    bench.settings = {"providers": jsonl(bench, "spare"), "fallback": ("spare",)}  # the same child: broken too
    session = bench.session()
    assert bench.run(session, clock=JumpingClock()).kind is Kind.BLOCKED
    assert [event.provider for event in ended(session)] == ["scripted", "spare"]


def test_transient_trouble_is_tried_again_with_growing_pauses(bench):
    bench = failing_once(bench, error("overload", "529"), times=4)
    clock, session = JumpingClock(), bench.session()
    assert bench.run(session, clock=clock, yes=True, no_wait=False).kind is Kind.DONE
    assert 2 + 4 + 8 + 16 <= clock.waited <= 1.3 * (2 + 4 + 8 + 16)
    assert [event.attempt for event in ended(session)][:5] == [1, 2, 3, 4, 5]


def test_who_wants_one_iteration_waits_for_no_pause_after_it(bench):
    bench = failing_once(bench, error("overload", "529"))
    clock, session = JumpingClock(), bench.session()
    assert bench.run(session, clock=clock, once=True).kind is Kind.STOPPED
    state = Session(session.dir).state()
    assert state.condition is Condition.LIMITED and state.not_before and clock.present < state.not_before


def test_trouble_that_lasts_for_hours_is_for_a_human(bench):
    bench = failing_once(bench, error("network", "no route"), times=1000)
    clock, session = JumpingClock(), bench.session()
    decision = bench.run(session, clock=clock, no_wait=False)
    assert (decision.kind, decision.exit_code) == (Kind.WAIT, 3)
    assert "network for 2h" in decision.reason
    assert 2 * 3600 < clock.waited < 3 * 3600


@pytest.mark.parametrize("trouble", ["login", "billing"])
def test_login_and_billing_block_at_once(bench, trouble):
    bench = failing_once(bench, error(trouble, "please log in"), times=1000)
    session = bench.session()
    decision = bench.run(session, clock=JumpingClock())
    assert (decision.kind, decision.exit_code) == (Kind.BLOCKED, 4)
    assert "please log in" in decision.reason and len(ended(session)) == 1


def test_a_ceiling_asks_a_human_and_resume_grants_as_much_again(bench):
    bench.settings = {"ceilings": {"iterations": 3}}
    session = bench.session()
    decision = bench.run(session, yes=True)
    assert (decision.kind, decision.exit_code) == (Kind.WAIT, 3)
    assert "3 iterations is reached" in decision.reason and len(ended(session)) == 3
    assert any("80%" in said or "100%" in said for said in bench.view.said)
    session = Session(session.dir)
    session.record(Resumed(by="Ann"))
    bench.run(session, yes=True)
    assert len(ended(session)) == 6


def test_cost_is_counted_and_the_unknown_stays_unknown(bench):
    bench.settings = {"providers": jsonl(bench), "ceilings": {"cost": 1.0}}
    usage = '{"type": "usage", "input_tokens": 10, "output_tokens": 5, "cost_usd": 0.6}'
    bench = replace(bench, child=script(bench.child.parent, f"echo '{usage}'\n" + GOOD_CHILD))
    bench.settings = {"providers": jsonl(bench), "ceilings": {"cost": 1.0}}
    session = bench.session()
    decision = bench.run(session, yes=True)
    assert "1.00 USD is reached" in decision.reason
    assert Session(session.dir).state().totals.cost_usd == pytest.approx(1.2)
    silent = Bench(bench.root, script(bench.child.parent, GOOD_CHILD, "silent.sh")).session("Silent")
    Bench(bench.root, bench.child.parent / "silent.sh").run(silent)
    assert Session(silent.dir).state().totals.unpriced == 2
    assert "unknown" in (silent.dir / "_report.md").read_text()
