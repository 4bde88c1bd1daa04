"""Runs an example as a whole session and judges what came of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samoloop.config import loading
from samoloop.core.rules import Decision, Kind
from samoloop.core.session import Session
from samoloop.demo import play
from samoloop.demo.examples import Example
from samoloop.demo.judge import Finding, judge

NOT_AS_EXPECTED = 1  # exit code: the session is done, but its result is not what the example expects


@dataclass(frozen=True)
class Performance:
    """What became of one run of an example."""

    session: Session
    decision: Decision
    findings: Sequence[Finding]  # empty where the session did not come to its end

    @property
    def exit_code(self) -> int:
        if self.decision.exit_code:
            return self.decision.exit_code
        return 0 if all(finding.ok for finding in self.findings) else NOT_AS_EXPECTED


def rehearse(example: Example, root: Path, *, provider: str | None, yes: bool, open_view: play.OpenView) -> Performance:
    """A whole session on the copy at `root`, judged by the project's own tests.

    `provider` None is the example's own, else the person's. The scripted child asks nobody.
    """
    script = provider == play.SCRIPT
    settings = play.scripted(root) if script else loading.load(root, os.environ, {"provider": provider})
    session = play.begin(settings, example.task, example.name, provider)
    decision = play.go_on(session, settings, open_view=open_view, environ=os.environ, yes=yes or script)
    return Performance(session, decision, judge(example, session) if decision.kind is Kind.DONE else ())
