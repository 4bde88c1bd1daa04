"""An open gate, asked about at this terminal: the same changes of the gate's file as a command or an editor would make.

The questions are asked in a thread of their own, so whoever waits for the gate's file to change goes on waiting: an
answer from anywhere else counts, and ends the asking. Silence decides nothing: Enter takes a suggestion that stands
there, and approves no plan.
"""

import os
import shlex
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import IO

from samoloop.api.go_on import OpenView, stoppable
from samoloop.base.clock import Clock
from samoloop.base.errors import SamoloopError
from samoloop.base.printable import one_line, printable
from samoloop.children.stop import StopRequest
from samoloop.core import gates, words
from samoloop.core.gates import Act, Closing, Gate, StillOpen, Verdict
from samoloop.core.gates.questions import Question
from samoloop.core.outcome import Collector
from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.core.session import Session
from samoloop.ui.terminal.output import say
from samoloop.ui.terminal.screen import open_view
from samoloop.ui.terminal.typed import CalledAway, NobodyThere, Typed, Unreadable
from samoloop.ui.terminal.words import wrapped
from samoloop.worker.outbox import Announcement
from samoloop.worker.view import Running, View
from samoloop.worker.waiting import watching

_EDITORS, _PAGERS = ("editor", "nano", "vi"), ("less", "more")
_ROOM = 6  # rows beside the plan: what asks for it, and the prompt
_PLAN = (Verdict.APPROVE, Verdict.CHANGES, Verdict.REJECT)
_COMMANDS = {Verdict.ANSWERED: "answer", Verdict.APPROVE: "approve", Verdict.DONE: "answer"}


class Asker:
    """Asks one person about one gate after the other. Whoever has it looks at the gate's file, and ends the asking."""

    def __init__(
        self, session: Session, by: str, typed: Typed, stop: StopRequest, when_done: Callable[[], None]
    ) -> None:
        self._session = session
        self._by = by
        self._typed = typed
        self._stop = stop
        self._when_done = when_done
        self._gate: Gate | None = None
        self._thread: threading.Thread | None = None
        self._over = False
        self._gone = False

    def ask(self, gate: Gate) -> None:
        """Begin to ask; nothing where nobody can be asked any more."""
        self.end()
        if self._gone:
            return
        self._gate, self._over = gate, False
        self._thread = threading.Thread(target=self._run, args=(gate,), name="asking", daemon=True)
        self._thread.start()

    def asks(self, gate: Gate) -> bool:
        """Whether it is this gate that is asked about."""
        return self._thread is not None and self._gate is not None and self._gate.id == gate.id

    @property
    def can_ask(self) -> bool:
        """False once the person has ended the input, or the terminal is gone."""
        return not self._gone

    def look(self) -> None:
        """Somebody changed the gate's file."""
        self._typed.call()

    def end(self) -> None:
        """Ask no more; an editor that the person has open is waited for, unless somebody else decided."""
        if self._thread:
            self._over = True
            self._typed.call()
            self._thread.join()
            self._thread = None

    def _run(self, gate: Gate) -> None:
        try:
            self._about(gate)
        except CalledAway:
            pass
        except NobodyThere:
            self._gone = True
            with suppress(OSError):  # the terminal may be what is gone
                _show(
                    f"\nNothing more is asked here; {self._session.name} waits on ({_elsewhere(self._session, gate)})"
                )
        except (SamoloopError, OSError) as error:
            self._gone = True
            with suppress(OSError):
                _show(f"It cannot be asked here: {error} ({_elsewhere(self._session, gate)})")
        finally:
            self._when_done()

    # --- what is asked, by how the gate can be closed -----------------------------------------------------------------

    def _about(self, gate: Gate) -> None:
        while self._is_open(gate):
            if gates.takes(gate, Verdict.ANSWERED):
                self._questions(gate)
            elif gates.takes(gate, *_PLAN):
                self._plan(gate)
            elif gates.takes(gate, Verdict.DONE):
                self._action(gate)
            else:
                self._file(gate)

    def _wanted(self) -> bool:
        return not self._over

    def _is_open(self, gate: Gate) -> bool:
        if self._over:
            raise CalledAway
        return isinstance(gates.examine(gate, self._session.dir, self._session.worktree), StillOpen)

    def _line(self, prompt: str, wanted: Callable[[], bool] | None = None, *, several: bool = False) -> str:
        """A line that can be read; what cannot is said, and asked for again."""
        while True:
            try:
                return self._typed.line(prompt, wanted or self._wanted, several=several).strip()
            except Unreadable as error:
                _show(f"  Nothing was taken: {error}.")

    def _questions(self, gate: Gate) -> None:
        skipped: set[str] = set()
        while left := [q for q in gates.waiting_questions(self._session.dir, gate) if q.id not in skipped]:
            if not self._is_open(gate) or not self._question(gate, left[0]):
                skipped.add(left[0].id)
        if skipped and self._is_open(gate):
            still = ", ".join(question.id for question in gates.waiting_questions(self._session.dir, gate))
            self._later(gate, f"Still to answer: {still}.")

    def _question(self, gate: Gate, question: Question) -> bool:
        """Ask one question until it is answered; False where it is left for later."""
        of = f" ({gate.questions.index(question.id) + 1} of {len(gate.questions)})" if len(gate.questions) > 1 else ""
        suggestion = gates.suggested(self._session.dir, gate).get(question.id, "")
        say()
        _show(f"{question.id}: {question.title}{of}", "strong")
        _show(
            "\n".join(
                [*([f"  {question.why}"] if question.why else []), *(f"    {a}) {b}" for a, b in question.options)]
            )
        )
        if question.suggestion:
            _show(f"  Suggestion: {question.suggestion}")
        letters = {letter for letter, _ in question.options}
        keys = {key: what for key, what in {"e": "editor", "s": "skip"}.items() if key.upper() not in letters}
        takes = {"Enter": suggestion if len(suggestion) == 1 else "as suggested"} if suggestion else {}
        prompt = f"  Your answer ({', '.join(f'{key}: {what}' for key, what in {**takes, **keys}.items())}):"
        while self._waits(question):
            try:
                said = self._line(prompt, lambda: not self._over and self._waits(question), several=True)
            except CalledAway:
                self._say_answered(question)
                break
            if said in keys:
                if said == "s":
                    return False
                self._edit(gate)
                continue
            self._answer(gate, question, said or suggestion)
        if self._over:
            raise CalledAway
        return True

    def _answer(self, gate: Gate, question: Question, said: str) -> None:
        if not said:
            _show("  Nothing is suggested here: a letter or words, please.")
            return
        try:
            gates.answer(self._session.dir, gate, {question.id: said}, self._by)
        except SamoloopError as error:  # no such option; or somebody answered meanwhile, and that counts
            _show(f"  {error}")

    def _waits(self, question: Question) -> bool:
        found = self._now(question)
        return found is not None and not found.answer

    def _now(self, question: Question) -> Question | None:
        return next((q for q in gates.read_questions(self._session.dir) if q.id == question.id), None)

    def _say_answered(self, question: Question) -> None:
        """Where the gate is closed whoever waits for it says it."""
        found = self._now(question)
        if found and found.answer and not self._over:
            _show(f"  {found.id} was answered meanwhile by {found.by or 'editor'}: {one_line(found.answer, 200)}")

    def _plan(self, gate: Gate) -> None:
        shown = self._show_plan(gate)
        while self._is_open(gate):
            said = self._line("  Your decision (approve, changes, reject; p: plan, e: editor, s: later):")
            word, _, comment = said.partition(" ")
            if said == "p":
                return  # and so show it again
            if said == "e":
                self._edit(gate)
            elif said == "s":
                self._later(gate, "The plan waits for your decision.")
                return
            elif (verdict := _verdict(word)) is None or (verdict is Verdict.APPROVE and comment):
                _show("  Say approve, changes or reject; the first letter will do.")
            else:
                if verdict is Verdict.CHANGES and not comment:
                    comment = self._line("  What should change:", several=True)
                if verdict is Verdict.CHANGES and not comment:
                    _show("  Nothing was decided.")
                    continue
                try:
                    gates.decide_plan(self._session.dir, gate, verdict, self._by, comment=comment, shown=shown)
                except SamoloopError as error:  # decided meanwhile, and that counts; or the plan is another
                    _show(f"  {error}")
                    return

    def _show_plan(self, gate: Gate) -> str | None:
        """Show the plan, page by page where it is long; the hash of what was shown."""
        path = self._session.dir / (gate.file or "")
        text, shown = gates.read_text(path) or "", gates.file_hash(path)
        columns, rows = shutil.get_terminal_size()
        lines = wrapped(printable(text.rstrip()), columns - 4)
        say()
        pager = _program("PAGER", _PAGERS)
        if len(lines) <= rows - _ROOM or not pager:
            say("\n".join(f"  │ {line}" for line in lines) + "\n")
            return shown
        _show(f"  {gate.file}, {len(lines)} lines", "dim")
        with tempfile.TemporaryFile() as pages:
            pages.write("\n".join([*wrapped(printable(text.rstrip()), columns), ""]).encode())
            pages.seek(0)
            self._lend(pager, self._wanted, stdin=pages)
        return shown

    def _action(self, gate: Gate) -> None:
        say()
        _show("\n".join(f"  > {line}" for line in (gate.reason or "").splitlines()))
        while self._is_open(gate):
            said = self._line("  Is it done? (done, and how; declined, and why; e: editor, s: later):", several=True)
            word, _, more = said.partition(" ")
            if said == "e":
                self._edit(gate)
            elif said == "s":
                self._later(gate, "It waits until you say that it is done.")
            elif word.lower() in ("done", "yes"):
                self._act(gate, Act(Verdict.DONE, self._by, more.strip() or "yes"))
            elif word.lower() in ("declined", "no"):
                self._act(gate, Act(Verdict.DECLINED, self._by, more.strip() or self._line("  Why:", several=True)))
            else:
                _show("  Say done or declined; Enter decides nothing.")

    def _act(self, gate: Gate, what: Act) -> None:
        try:
            gates.act(self._session.dir, gate, what)
        except SamoloopError as error:  # decided meanwhile, and that counts
            _show(f"  {error}")

    def _file(self, gate: Gate) -> None:
        say()
        _show("\n".join(f"  > {line}" for line in (gate.reason or "").splitlines()))
        _show(f"  {gates.answer_in(gate, self._session.dir, self._session.worktree)}")
        while self._is_open(gate):
            said = self._line("  It goes on when the file has changed (e: editor, s: later):")
            if said == "e":
                self._edit(gate)
            elif said == "s":
                self._later(gate, f"It waits for {words.waits_for(gate)}.")

    def _later(self, gate: Gate, what: str) -> None:
        _show(f"  {what} ({_elsewhere(self._session, gate)})")
        self._line("  Enter asks again:")

    # --- programs of the person's -------------------------------------------------------------------------------------

    def _edit(self, gate: Gate) -> None:
        """Let the person change the gate's file; what they saved counts once the editor has ended."""
        editor = _program("VISUAL", ()) or _program("EDITOR", _EDITORS)
        if not editor:
            _show("  There is no editor: set EDITOR to yours.")
            return
        path = gates.answer_in(gate, self._session.dir, self._session.worktree)
        self._lend([*editor, str(path)], lambda: not (self._stop.now or (self._over and self._decided_elsewhere(gate))))
        gates.wake(self._session.dir)
        found = gates.examine(gate, self._session.dir, self._session.worktree)
        if isinstance(found, StillOpen) and found.why:
            _show(f"  {found.why}")

    def _decided_elsewhere(self, gate: Gate) -> bool:
        found = gates.examine(gate, self._session.dir, self._session.worktree)
        return isinstance(found, Closing) and not set(found.by.split(", ")) <= {"editor", self._by}

    def _lend(self, argv: list[str], wanted: Callable[[], bool], stdin: IO[bytes] | None = None) -> None:
        try:
            self._typed.lend(argv, wanted, stdin)
        except OSError as error:
            _show(f"  {argv[0]} cannot be started: {error.strerror or error}")


def _show(text: str, tone: str = "plain") -> None:
    for line in wrapped(printable(text), shutil.get_terminal_size().columns):
        say((line, tone))


def _verdict(word: str) -> Verdict | None:
    """`a` will do for approve; an empty word begins all of them, and so means none."""
    found = [verdict for verdict in _PLAN if verdict.startswith(word.lower())]
    return found[0] if len(found) == 1 else None


def _program(variable: str, others: Sequence[str]) -> list[str]:
    """The person's own program for something, else the first of the others that is there."""
    try:
        own = shlex.split(os.environ.get(variable, ""))
    except ValueError:  # an open quote
        own = []
    return own or next(([name] for name in others if shutil.which(name)), [])


def _elsewhere(session: Session, gate: Gate) -> str:
    """How the gate is closed from anywhere else."""
    path = gates.answer_in(gate, session.dir, session.worktree)
    command = next((name for verdict, name in _COMMANDS.items() if gates.takes(gate, verdict)), "")
    return f"elsewhere: samoloop {command} {session.name}" if command else f"elsewhere: change {path}"


@contextmanager
def _asking(
    session: Session, by: str, stop: StopRequest, when_done: Callable[[], None] = lambda: None
) -> Iterator[Asker]:
    """Somebody who asks the person `by`, until the block ends; `when_done` is called once all was asked."""
    with closing(Typed(stop)) as typed, typed.told_of_stops():
        asker = Asker(session, by, typed, stop, when_done)
        try:
            yield asker
        finally:
            asker.end()


# --- beside a worker --------------------------------------------------------------------------------------------------


def asking_view(by: str) -> OpenView:
    """The view of a worker in this terminal, which asks about each gate in the name of the person `by`."""

    @contextmanager
    def opened(session: Session, stop: StopRequest) -> Iterator[View]:
        with open_view(session, stop) as view, _asking(session, by, stop) as asker:
            yield _Asks(session, view, asker)

    return opened


class _Asks:
    """Another view, which asks at a gate. Whatever the worker says otherwise, it has gone on: nothing is asked then."""

    def __init__(self, session: Session, inner: View, asker: Asker) -> None:
        self._session = session
        self._inner = inner
        self._asker = asker

    def say(self, sentence: str) -> None:
        self._asker.end()
        self._inner.say(sentence)

    def started(self, running: Running) -> None:
        self._asker.end()
        self._inner.started(running)

    def progress(self, collector: Collector) -> None:
        self._inner.progress(collector)

    def ended(self, record: Ended, decision: Decision) -> None:
        self._inner.ended(record, decision)

    def announced(self, announcement: Announcement) -> None:
        self._inner.announced(announcement)

    def waiting(self, decision: Decision) -> None:
        gate = self._session.state().gate
        if gate is None or decision.not_before is not None or not self._asker.can_ask:
            self._asker.end()
            self._inner.waiting(decision)
        elif self._asker.asks(gate):
            self._asker.look()
        else:
            self._asker.end()
            self._inner.say(one_line(f"{gate.phase} waits for {words.waits_for(gate)}; Ctrl-C leaves it waiting"))
            self._inner.say(f"  ({_elsewhere(self._session, gate)})")
            self._asker.ask(gate)


# --- without one ------------------------------------------------------------------------------------------------------


def ask_now(session: Session, gate: Gate, by: str) -> bool:
    """Ask about an open gate until it is decided, here or elsewhere, or the person leaves. False after a Ctrl-C."""
    files = gates.watched(gate, session.dir, session.worktree)

    def left_open() -> bool:
        return isinstance(gates.examine(gate, session.dir, session.worktree), StillOpen)

    with stoppable() as stop, _asking(session, by, stop, stop.ask_to_finish) as asker:
        with watching(session.dir, files) as watch:
            asker.ask(gate)
            while left_open() and watch.wait(Clock(), stop):
                asker.look()
        asker.end()
        return not stop.interrupted
