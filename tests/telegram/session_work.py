"""A session on disk and the worker's acts on it, without a worker: real journal, real gates, real outbox."""

from dataclasses import replace
from pathlib import Path

from samoloop.base.locks import Lock
from samoloop.config.outlets import Outlets
from samoloop.core import control, gates
from samoloop.core.control import LOCK
from samoloop.core.decision import Condition
from samoloop.core.gates import Closing, Gate
from samoloop.core.records import Created, GateClosed, GateOpened, GateShown, Halted, Prepared
from samoloop.core.session import Session
from samoloop.core.signals import GateKind, Signal, Status
from samoloop.core.words import News
from samoloop.core.workflow import Phase, Workflow
from samoloop.worker import outbox
from samoloop.worker.outbox import Announcement, Asked

QUESTIONS = """# Questions

### Q1: Which token lifetime?
A leak is as long as the lifetime.
A) 15 minutes with refresh
B) 24 hours
**Suggestion:** A - limits the damage of a leak
**Answer:** _waiting_

### Q2: Which library?
A) `pyjwt`
B) our own
**Answer:** _waiting_
"""
ONE_QUESTION = "# Questions\n\n### Q2: Which library?\nA) `pyjwt`\nB) our own\n**Answer:** _waiting_\n"
PLAN = "# Plan: JWT\n\n- [ ] add `token.py`\n- [ ] test < 5 minutes & more\n"
WORKFLOW = Workflow(
    "feature", tuple(Phase(name) for name in ("init", "requirements", "planning", "implementation", "done"))
)
OUTLETS = Outlets(telegram=True)


class Work:
    """Plays the worker's side of one session."""

    def __init__(self, root: Path, name: str = "26-11-21-jwt-auth") -> None:
        self.root = root
        self.dir = root / "_sessions" / name
        self.dir.mkdir(parents=True)
        control.make(self.dir)
        self.session = Session(self.dir)
        branch = "samoloop/jwt-auth"
        self.session.record(
            Created(session=name, title="Add JWT auth", workflow=WORKFLOW, branch=branch, root=root, worktree=root)
        )
        self.session.record(Prepared(phase="requirements"))
        self._lock: Lock | None = None

    @property
    def gate(self) -> Gate:
        gate = self.session.state().gate
        assert gate is not None
        return gate

    def live(self) -> None:
        """From now on a worker seems to hold the session."""
        self._lock = Lock.take(self.session.control / LOCK, 1, "1")

    def die(self) -> None:
        """The worker is gone."""
        if self._lock:
            self._lock.release()
            self._lock = None

    def ask(self, text: str = QUESTIONS) -> Gate:
        (self.dir / "_qa.md").write_text(text)
        return self._open(Signal(Status.WAITING, wait_for=GateKind.QA_ANSWERS), "requirements", News.QUESTIONS)

    def show_plan(self, text: str = PLAN, file: str = "11-21-0930-plan-jwt.md") -> Gate:
        (self.dir / file).write_text(text)
        return self._open(Signal(Status.WAITING, wait_for=GateKind.PLAN_APPROVAL, file=file), "planning", News.PLAN)

    def ask_for_action(self, reason: str = "Create the DNS record") -> Gate:
        return self._open(
            Signal(Status.WAITING, wait_for=GateKind.HUMAN_ACTION, reason=reason), "planning", News.ACTION
        )

    def _open(self, signal: Signal, phase: str, kind: News) -> Gate:
        state = self.session.state()
        gate, text = gates.prepare(f"g{state.gates_opened + 1}", signal, phase, 3, self.dir, self.root, state.given)
        self.session.record(GateOpened(gate=gate, reason=gate.reason or ""))
        gate = gates.put(gate, text, self.dir)
        self.session.record(GateShown(gate=gate.id))
        asked = [q for q in gates.read_questions(self.dir) if q.id in gate.questions]
        shown = tuple(Asked(q.id, q.title, q.why, q.options, q.suggestion) for q in asked)
        self.announce(kind, gate=gate.id, file=gate.file or "", sha=gate.sha256 or "", questions=shown,
                      text=gate.reason or "")  # fmt: skip
        return gate

    def announce(self, kind: News, **fields: object) -> None:
        given = Announcement(kind, self.session.name, "Add JWT auth")
        outbox.put(self.dir, replace(given, **fields), OUTLETS)  # type: ignore[arg-type]

    def block(self, reason: str = "The tests need a database", *, say: bool = True) -> None:
        self.session.record(Halted(condition=Condition.BLOCKED, reason=reason))
        if say:
            self.announce(News.BLOCKED, text=reason, phase="testing", needs="human_decision")

    def decision(self) -> Closing | None:
        """What the open gate's file says now."""
        found = gates.examine(self.gate, self.dir, self.root)
        return found if isinstance(found, Closing) else None

    def close(self) -> Closing:
        """Record the closing that the file holds, as a worker does when it wakes."""
        closing = self.decision()
        assert closing is not None
        self.session.record(
            GateClosed(
                gate=self.gate.id,
                kind=self.gate.kind,
                verdict=closing.verdict,
                by=closing.by,
                comment=closing.comment,
                sha256=closing.sha256,
                answers=closing.answers,
                file=self.gate.file,
            )
        )
        return closing

    def read(self, name: str) -> str:
        path = (self.session.control if name in control.NAMES else self.dir) / name
        return path.read_text() if path.exists() else ""
