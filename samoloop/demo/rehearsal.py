"""Runs an example as a whole session and judges what came of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from samoloop.api.go_on import OpenView, go_on
from samoloop.base.values import frozen
from samoloop.core.records import RoomRecord
from samoloop.core.rules import Decision, Kind
from samoloop.core.session import Session
from samoloop.demo import play
from samoloop.demo.examples import Example
from samoloop.demo.judge import Judgement, judge
from samoloop.worker.lease import locked

NOT_AS_EXPECTED = 1  # exit code: the session is done, but its result is not what the example expects


@frozen
class Performance:
    """What became of one run of an example."""

    session: Session
    decision: Decision
    findings: Sequence[Judgement]  # empty where the session did not come to its end

    @property
    def exit_code(self) -> int:
        if self.decision.exit_code:
            return self.decision.exit_code
        return 0 if all(finding.ok for finding in self.findings) else NOT_AS_EXPECTED


def rehearse(example: Example, root: Path, *, provider: str | None, yes: bool, open_view: OpenView) -> Performance:
    """A whole session on the copy at `root`, judged by the project's own tests.

    `provider` None is the example's own, else the person's. The scripted child asks nobody.
    """
    script = provider == play.SCRIPT
    environ = play.alone(root, os.environ) if script else os.environ
    session = play.begin(root, example.task, example.name, provider, environ)
    decision = go_on(session, play.how(yes=yes or script), environ=environ, open_view=open_view)
    findings = judge(example, session) if decision.kind is Kind.DONE else []
    if findings:
        _remember(session, findings)
    return Performance(session, decision, findings)


def _remember(session: Session, findings: Sequence[Judgement]) -> None:
    """Keep the judgement with the session, as a record of this room: to everybody else it means nothing."""
    said = [{"ok": finding.ok, "words": finding.words} for finding in findings]
    with locked(session):
        session.record(RoomRecord(name="demo.judged", values={"findings": said}))
