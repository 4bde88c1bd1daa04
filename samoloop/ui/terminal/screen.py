"""The terminal: one live block while a child works, one lasting line for each iteration that ended.

Where the output is not a terminal, the same without the live block and without control codes.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from samoloop.base.durations import format_seconds
from samoloop.base.printable import one_line, printable
from samoloop.children.stop import StopRequest
from samoloop.core import gates, words
from samoloop.core.events import Usage
from samoloop.core.gates import Gate
from samoloop.core.outcome import Collector
from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.core.session import Session
from samoloop.core.state import State
from samoloop.ui.terminal.endings import ended_line, oddities, tokens_so_far
from samoloop.ui.terminal.live_block import Line, LiveBlock, Paper, abandon
from samoloop.ui.terminal.output import attention, window_title
from samoloop.ui.terminal.paint import paint
from samoloop.ui.terminal.words import dollars, resumes, spending, wrapped
from samoloop.worker.notices import CALLS, in_short
from samoloop.worker.outbox import Announcement
from samoloop.worker.view import Running, View

TICK_SECONDS = 0.5
_LONGEST_DOING = 300
_DULL_TERMINALS = ("dumb", "unknown", "")


@contextmanager
def open_view(session: Session, stop: StopRequest, stream: TextIO | None = None) -> Iterator[View]:
    """The view for this output: a `Screen` on a terminal that can move its cursor, else `Plain`."""
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # an old terminal's encoding may lack the arrows
    if not stream.isatty() or os.environ.get("TERM", "") in _DULL_TERMINALS:
        yield Plain(session, stream)
        return
    screen = Screen(session, stop, stream)
    try:
        with _told_of_stops(screen):
            yield screen
    finally:
        screen.close()


@contextmanager
def _told_of_stops(screen: "Screen") -> Iterator[None]:
    """Tell the screen when the process goes on after a Ctrl-Z; signals reach the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGCONT, lambda *_: screen.continued())
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, before)


class Plain:
    """Lines for a file, a pipe or a log: no control codes, nothing that is written over."""

    def __init__(self, session: Session, stream: TextIO) -> None:
        self._stream = stream
        self._gates = _Gates(session)
        self._label_width = _label_width(session)

    def say(self, sentence: str) -> None:
        try:
            self._stream.write(printable(sentence) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            abandon(self._stream)  # the reader is gone; the work goes on

    def started(self, running: Running) -> None:
        self.say(f"{running.iteration:03d} {running.phase}: started, {_who(running)}")

    def progress(self, collector: Collector) -> None:
        """Only the end is worth a line."""

    def announced(self, announcement: Announcement) -> None:
        """Nobody looks at a pipe."""

    def ended(self, record: Ended, decision: Decision) -> None:
        self.say(ended_line(record, time.time(), self._label_width))
        for sentence in oddities(record):
            self.say(f"    {sentence}")

    def waiting(self, decision: Decision) -> None:
        for line in self._gates.lines(decision, time.time()):
            self.say(line)


class Screen:
    """A live block at the bottom, redrawn twice a second; all else scrolls away above it."""

    def __init__(self, session: Session, stop: StopRequest, stream: TextIO) -> None:
        self._session = session
        self._stop = stop
        self._paper = Paper(stream)
        self._gates = _Gates(session)
        self._label_width = _label_width(session)
        self._block: LiveBlock | None = None
        self._called: tuple[str, str, int] | None = None  # what the person was called for, which the title says
        self._collector = Collector()

    def say(self, sentence: str) -> None:
        self._print(printable(sentence))

    def started(self, running: Running) -> None:
        self.close()
        if self._called:
            self._called = None
            self._paper.write(window_title(f"samoloop: {running.session}"))
        self._collector = Collector()
        state = self._session.state()
        limit = state.live_workflow.phase(running.phase).max_iterations
        place = f"{_who(running)}, {state.phase_iterations} of at most {limit} in this phase"
        began = state.open.time if state.open else time.time()  # an adopted child began earlier
        totals = state.totals
        spent = spending(totals.cost_usd, totals.virtual_usd) if totals.cost_usd or totals.virtual_usd else ""

        then = one_line(_then(state, running.phase))

        def content() -> list[Line]:
            return self._block_lines(running, place, began, spent, then)

        self._block = LiveBlock(self._paper, content, TICK_SECONDS)

    def progress(self, collector: Collector) -> None:
        self._collector = collector

    def ended(self, record: Ended, decision: Decision) -> None:
        self.close()
        line = ended_line(record, time.time(), self._label_width)
        self._print(line, words.DECISIONS[decision.kind].tone, start=line.index("→"))
        for sentence in oddities(record):
            self._print(f"    {sentence}", "warn")

    def waiting(self, decision: Decision) -> None:
        self.close()
        first, *rest = self._gates.lines(decision, time.time())
        self._print(first, "warn")
        for line in rest:
            self._print(line)

    def announced(self, announcement: Announcement) -> None:
        call = (*in_short(announcement), announcement.reminder)
        if announcement.kind in CALLS and call != self._called:  # an end may be said twice
            self._called = call
            self._paper.write(attention(*call[:2], os.environ))

    def close(self) -> None:
        """Take the live block away."""
        if self._block:
            self._block.close()
            self._block = None

    def continued(self) -> None:
        """The process was stopped and goes on."""
        if self._block:
            self._block.continued()

    def _print(self, text: str, tone: str = "plain", start: int = 0) -> None:
        """Lasting lines; the tone begins at the character `start`."""
        first, *rest = wrapped(text, self._paper.columns)
        lines = [paint(first[:start], "plain") + paint(first[start:], tone), *(paint(line, tone) for line in rest)]
        below = "" if self._paper.is_ours else "\n"  # what somebody types at a shell's prompt
        written = below + "".join(f"{line}\n" for line in lines)
        if self._block:
            self._block.draw(written)
        else:
            self._paper.write(written)

    def _block_lines(self, running: Running, place: str, began: float, spent: str, then: str) -> list[Line]:
        seconds = time.time() - began
        elapsed = format_seconds(seconds) if seconds >= 10 else f"{int(seconds)}s"
        head = [("● ", "good"), (f"{running.iteration:03d} {running.phase}", "strong"), (f"  {elapsed}", "tool")]
        lines: list[Line] = [[*head, (f"  {place}", "dim")]]
        doing = self._collector.last_tool or self._collector.last_text
        if doing:
            lines.append([(f"  ▸ {one_line(doing, _LONGEST_DOING)}", "plain")])
        lines.append([(f"  {_costs(self._collector.usage, spent)}", "dim")])
        if not self._stop.finish:
            lines.append([(f"  {then}", "dim")])
        else:
            hint = "ending the child" if self._stop.now else "stopping after this iteration; Ctrl-C again ends it now"
            lines.append([(f"  {hint}", "warn")])
        return lines


class _Gates:
    """Says once what a gate wants, and after that only what has changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said: str | None = None

    def lines(self, decision: Decision, now: float) -> list[str]:
        """At least one line; the first is the sentence."""
        gate = self._session.state().gate
        if decision.not_before is not None:
            return [one_line(f"{resumes(decision.not_before, now)}: {decision.reason}")]
        if gate is None or gate.id == self._said:
            return [one_line(decision.reason)]
        self._said = gate.id
        answer_in = gates.answer_in(gate, self._session.dir, self._session.worktree)
        steps = words.steps(self._session.name, gate, str(answer_in))
        width = max(len(step.command) for step in steps)
        return [
            one_line(f"{gate.phase} waits for {words.waits_for(gate)}"),
            *self._matter(gate),
            *(f"  {one_line(step.command):<{width}}  # {one_line(step.what)}" for step in steps),
        ]

    def _matter(self, gate: Gate) -> list[str]:
        """What a person has to look at: the questions, or where the plan is."""
        lines = [f"  {one_line(str(path))}" for path in gates.to_read(gate, self._session.dir)]
        for question in gates.waiting_questions(self._session.dir, gate):
            lines.append(f"  {one_line(f'{question.id}: {question.title}')}")
            lines += [f"    {one_line(f'{letter}) {option}')}" for letter, option in question.options]
            if question.suggestion:
                lines.append(f"    {one_line(f'Suggestion: {question.suggestion}')}")
        return lines


def _then(state: State, present: str) -> str:
    """What comes after the phase at work, and where it is the person's turn."""
    workflow = state.live_workflow
    gate = workflow.phase(present).gate
    names = workflow.names[workflow.names.index(present) :]
    named = [name + (" (your turn)" if workflow.phase(name).gate else "") for name in names]
    after = ", ".join(named[1:]) or "the end"
    return f"your turn, then {after}" if gate and gate not in state.passed else f"then {after}"


def _label_width(session: Session) -> int:
    """Of the longest `003 implementation`, so that the lines of all iterations stand under each other."""
    return max(len(f"000 {name}") for name in session.state().live_workflow.names)


def _who(running: Running) -> str:
    return one_line(f"{running.provider} {running.model or ''}")


def _costs(usage: Usage, spent: str) -> str:
    """Tokens and cost of the running child as far as its CLI tells, and of the session before it."""
    tokens = tokens_so_far(usage.input_tokens, usage.output_tokens)
    cost = dollars(usage.cost_usd, virtual=usage.virtual) if usage.cost_usd is not None else ""
    now = ", ".join(word for word in (tokens, cost) if word)
    before = f"{spent} in earlier iterations" if spent else ""
    return "; ".join(words for words in (now, before) if words) or "no tokens counted yet"
