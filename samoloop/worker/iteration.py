"""One iteration is a function: start a child, wait for it, read its signal, decide, and record what follows."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from samoloop.base.effects import effect
from samoloop.base.files import put_folder, remove, sha256, sync_folder, write_anew
from samoloop.base.values import frozen
from samoloop.children import wrapper
from samoloop.children.child import Child, ChildEnd
from samoloop.children.processes import boot_id
from samoloop.children.run import spec_of
from samoloop.config import prices, skills
from samoloop.core import gates, records, rules, signals
from samoloop.core.control import ADDITIONS, CHILD_LOCK, beside
from samoloop.core.decision import Condition, Note
from samoloop.core.events import Trouble
from samoloop.core.limits import EndedBy
from samoloop.core.outcome import Collector
from samoloop.core.records import Adopted, Guided, Halted, Interrupted, Started
from samoloop.core.rules import Decision, Kind
from samoloop.core.session import Session
from samoloop.core.signals import BadSignal, Signal
from samoloop.core.stand_in import stand_in
from samoloop.providers.base import Provider, Reader, Request
from samoloop.worker import prompt, roots, shared_limits
from samoloop.worker.documents import CHANGE_FILE, newest_documents
from samoloop.worker.keeping import content, keep_checkpoint, keep_work, worth_a_look
from samoloop.worker.launching import request_for
from samoloop.worker.limits import free_providers, pick_provider
from samoloop.worker.stations import Finished
from samoloop.worker.view import Running
from samoloop.worker.worker import Worker
from samoloop.worker.worktrees import mend_worktree, ready_worktree


def step(worker: Worker) -> Decision:
    """Run exactly one iteration, or finish the one that a dead worker left, and return what follows."""
    state = worker.state
    if not worker.alone:
        worker.look_anew()
        roots.hold(worker.session)
    begun = adopt(worker) if state.open else begin(worker)
    collector = Collector()
    ended = wait(worker, begun, collector)
    return finish(worker, begun, ended, collector)


@frozen
class Begun:
    """A child at work, and what is needed to understand it."""

    child: Child
    provider: Provider
    reader: Reader
    started: Started
    adopted: bool = False  # an earlier worker started it


def begin(worker: Worker) -> Begun:
    """Start the next child. Everything that can be refused is refused before anything is recorded."""
    session, state, config = worker.session, worker.state, worker.config
    iteration, attempt = (state.iteration, state.attempt + 1) if state.retry else (state.iteration + 1, 1)
    while wrapper.is_used(session.stem(iteration, state.phase, attempt)):
        attempt += 1  # a disk lost the record of one: nothing that a child wrote is overwritten
    put_folder(session.logs)  # a child may have removed it
    stem = session.stem(iteration, state.phase, attempt)
    name = pick_provider(worker)
    provider = worker.provider(name)
    request = request_to(worker, name, state.phase, stem)
    launch = provider.launch(request)
    ready_worktree(worker)
    launch = worker.stations.launch(worker, launch)
    worktree = worker.worktree if config.commit else None
    worker.restore_overview()
    take_inbox(session, stem)
    write_prompt(worker, request, iteration)
    remove(session.dir / signals.FILE_NAME)
    marker = f"{session.name}-{iteration}-{attempt}-{sha256(str(worker.clock.epoch()))[:12]}"
    started = session.record(
        Started(
            iteration=iteration,
            attempt=attempt,
            phase=state.phase,
            provider=name,
            model=request.model,
            marker=marker,
            boot=boot_id(),
            time=worker.clock.epoch(),
            stem=stem.name,
            head=worktree.head() if worktree else None,
            stashes=tuple(worktree.stashes()) if worktree else (),
            seen=worker.stations.seen(worker),
        )
    )
    worker.look_anew()
    lock = session.control / CHILD_LOCK
    child = Child.spawn(spec_of(request, launch, lock=lock, marker=marker, told=told(worker, iteration)))
    return Begun(child, provider, provider.reader(request), started)


def request_to(worker: Worker, provider: str, phase: str, stem: Path) -> Request:
    """What the provider is asked to start."""
    session = worker.session
    return request_for(
        worker.config,
        phase,
        provider,
        stem=stem,
        session_dir=session.dir,
        worktree=session.worktree,
        title=f"{session.name} {phase}",
        offered=worker.state.live_workflow.phase(phase).skills,
        environ=worker.environ,
    )


def told(worker: Worker, iteration: int) -> dict[str, str]:
    """What a child finds in its environment."""
    session = worker.session
    return {
        "SAMOLOOP_SESSION_DIR": str(session.dir),
        "SAMOLOOP_SIGNAL": str(session.dir / signals.FILE_NAME),
        "SAMOLOOP_PHASE": worker.state.phase,
        "SAMOLOOP_ITERATION": str(iteration),
        "SAMOLOOP_WORKTREE": str(session.worktree),
    }


def take_inbox(session: Session, stem: Path) -> None:
    """Guidance is delivered once: the inbox becomes a file of this iteration.

    Its name is journaled first and cannot be guessed, so no file that a child laid there is taken for it.
    """
    inbox = session.control / gates.INBOX
    if not (gates.read_text(inbox) or "").strip():
        return
    name = f"{stem.name}.{os.urandom(4).hex()}.inbox.md"
    session.record(Guided(inbox=(name,)))
    with gates.changing(session.dir), effect("take inbox"):
        inbox.rename(session.logs / name)
        sync_folder(session.logs)
        sync_folder(session.control)


def write_prompt(worker: Worker, request: Request, iteration: int) -> None:
    """Build the prompt and keep exactly what the child is told."""
    built = build_prompt(worker, request.stem, iteration)
    if built.additions is not None:
        write_anew(beside(request.stem, ADDITIONS), built.additions)
    with effect("write prompt"):
        write_anew(request.prompt, built.text)


def build_prompt(worker: Worker, stem: Path, iteration: int, inbox: Sequence[str] = ()) -> prompt.Prompt:
    """The prompt of the next child; `inbox` are guidance files that the journal does not name yet."""
    session, state, config = worker.session, worker.state, worker.config
    phase = state.live_workflow.phase(state.phase)
    limit = config.limits_for(phase.name, phase.iteration_seconds).total
    known = skills.offered(config.root, session.logs)
    created = state.created
    place = prompt.Place(
        session.dir,
        session.worktree,
        session.branch,
        known,
        limit,
        in_place=created.in_place,
        change=session.logs / CHANGE_FILE if created.in_place else None,
        commits=config.commit,
        documents=newest_documents(session.dir),
    )
    names = dict.fromkeys([*state.inbox, *inbox])
    guidance = [text for name in names if (text := gates.read_text(session.logs / name))]
    return prompt.build(
        place,
        state,
        iteration=iteration,
        now=worker.clock.local(),
        additions_file=beside(stem, ADDITIONS),
        guidance=guidance,
        parts=worker.stations.parts(worker),
        effort=config.phase(state.phase).effort or config.effort,
    )


def adopt(worker: Worker) -> Begun:
    """Find the child that an earlier worker started, whatever became of it."""
    session = worker.session
    started = worker.state.open
    assert started is not None
    stem = session.logs / started.stem
    provider = worker.provider(started.provider)
    request = request_to(worker, started.provider, started.phase, stem)
    child = Child.adopt(
        stem=stem,
        lock=session.control / CHILD_LOCK,
        marker=started.marker,
        started_at=started.time,
        boot=started.boot,
    )
    if child.alive:
        session.record(Adopted(iteration=started.iteration, attempt=started.attempt, pid=child.pid))
        worker.view.say(
            f"iteration {started.iteration}: its child is still at work (process {child.pid}), waiting for it"
        )
    return Begun(child, provider, provider.reader(request), started, adopted=True)


def wait(worker: Worker, begun: Begun, collector: Collector) -> ChildEnd:
    """Until the child has ended and everything that it started is gone."""
    session, started = worker.session, begun.started
    phase = worker.state.live_workflow.phase(started.phase)
    limits = worker.config.limits_for(phase.name, phase.iteration_seconds)
    running = Running(
        session.name,
        phase.name,
        started.iteration,
        started.attempt,
        started.provider,
        started.model,
        limits.total,
    )
    worker.view.started(running)

    def on_events(events: list[Any]) -> None:
        collector.take(events)
        worker.view.progress(collector)

    return begun.child.wait(
        limits,
        habits=begun.provider,
        reader=begun.reader,
        signal_ready=lambda: isinstance(signals.read(session.dir / signals.FILE_NAME), Signal),
        on_events=on_events,
        stop=worker.stop,
    )


def finish(worker: Worker, begun: Begun, ended: ChildEnd, collector: Collector) -> Decision:
    """Read the signal, keep the work, decide, and record it all in one line."""
    session, state, started = worker.session, worker.state, begun.started
    roots.hold(session)
    signal = signals.read(session.dir / signals.FILE_NAME)
    if isinstance(signal, Signal):
        signal = gates.completed(signal, session.dir, started.time)
    same_boot = started.boot == boot_id()
    by = EndedBy.EXIT if ended.by is EndedBy.LOST else ended.by
    outcome = collector.outcome(by, ended.exit_code, ended.seconds, worker.clock.epoch())
    if isinstance(signal, BadSignal) or (ended.by is EndedBy.LOST and not same_boot):
        cut_off = Finished(started, ended, outcome, None, begun.adopted)
        if ended.by is EndedBy.LOST:
            return interrupted(worker, cut_off, "the machine was restarted" if not same_boot else "its process is gone")
        if ended.by is EndedBy.STOP:
            return stopped(worker, cut_off)
    mend_worktree(worker)
    worker.has_looked()
    worker.restore_overview()
    committed = keep_work(worker, started) if worker.config.commit else None
    tree = content(worker, committed)
    usage = prices.priced(outcome.usage, started.model, worker.config.prices)
    outcome = replace(outcome, usage=usage, progress=tree is None or tree != state.tree)
    checked = understand(worker, signal)
    wanted = rules.decide(state.live_workflow, state, outcome, checked)
    evidence = worker.stations.evidence(worker, Finished(started, ended, outcome, committed, begun.adopted, wanted))
    decision = rules.decide(state.live_workflow, state, outcome, checked, evidence)
    decision = with_login_help(worker, begun.provider, decision)
    spare = free_providers(worker, started.provider)
    decision = told_again(timed(worker, stand_in(decision, outcome, started.provider, next(iter(spare), ""))), started)
    event = session.journal.stamp(
        records.Ended(
            iteration=started.iteration,
            attempt=started.attempt,
            phase=started.phase,
            provider=started.provider,
            model=started.model,
            outcome=outcome,
            signalled=signal.raw if isinstance(signal, Signal) else None,
            bad_signal=checked.reason if isinstance(checked, BadSignal) else None,
            decision=decision,
            usage_complete=ended.usage_complete,
            swept=ended.swept,
            left=tuple(ended.left),
            tree=tree,
            head=committed.snapshot.head if committed else None,
            notes=worth_a_look(committed, evidence),
            said=collector.last_text[-500:],
        )
    )
    keep_checkpoint(worker, started, committed, session.journal.line(event), decision, adopted=begun.adopted)
    session.record(event)
    if decision.not_before and outcome.failure and outcome.failure.trouble is Trouble.USAGE_LIMIT:
        message, now = outcome.failure.message, worker.clock.epoch()
        shared_limits.write(started.provider, decision.not_before, message, worker.environ, now)
    worker.view.ended(event, decision)
    return decision


def understand(worker: Worker, signal: Signal | BadSignal) -> Signal | BadSignal:
    """The signal, if it is allowed here and now and the files it names are what they should be."""
    if isinstance(signal, BadSignal):
        return signal
    session, state = worker.session, worker.state
    verdict = rules.judge(state.live_workflow, state, signal)
    if isinstance(verdict, BadSignal):
        return verdict
    return gates.check_request(signal, session.dir, session.worktree, state.given)


def interrupted(worker: Worker, finished: Finished, why: str) -> Decision:
    """Nobody knows how far the child came: the iteration runs again, told so."""
    started = finished.started
    why = "; ".join([why, *(seen.text for seen in worker.stations.evidence(worker, finished))])
    note = half_done(started, why)
    worker.session.record(
        Interrupted(iteration=started.iteration, attempt=started.attempt, phase=started.phase, note=note, why=why)
    )
    worker.view.say(f"iteration {started.iteration} was interrupted: {why}; it runs again")
    return Decision(Kind.RETRY, worker.state.phase, why)


def stopped(worker: Worker, finished: Finished) -> Decision:
    """The child was ended on request. What a person stopped rests until a person resumes it."""
    by_person = worker.stop.by_person
    interrupted(worker, finished, "a person stopped the session" if by_person else "the machine went down")
    reason = "stopped by a person while a child was at work; its iteration runs again on resume"
    if by_person:
        worker.session.record(Halted(condition=Condition.STOPPED, reason=reason))
    return Decision(Kind.STOPPED, worker.state.phase, reason if by_person else "ended by a signal")


def told_again(decision: Decision, started: Started) -> Decision:
    """Whoever does the same action again is told that an attempt came before, because it may be half done."""
    if not decision.sleeps:
        return decision
    note = Note("interrupted", half_done(started, decision.reason))
    return replace(decision, notes=(*decision.notes, note))


def half_done(started: Started, why: str) -> str:
    return f"Attempt {started.attempt} of iteration {started.iteration} did not end properly ({why})."


def timed(worker: Worker, decision: Decision) -> Decision:
    """Put a clock and some jitter to a delay, so that many sessions do not wake together."""
    if not decision.delay_seconds and decision.not_before is None:
        return decision
    spread = int(sha256(worker.session.name + str(worker.state.iteration))[:4], 16) / 0xFFFF
    if decision.not_before is not None:
        return replace(decision, not_before=decision.not_before + 30 * spread)
    return replace(decision, not_before=worker.clock.epoch() + decision.delay_seconds * (1 + 0.25 * spread))


def with_login_help(worker: Worker, provider: Provider, decision: Decision) -> Decision:
    """A login that is missing names the exact command that mends it."""
    if decision.kind is not Kind.BLOCKED or decision.needs != Trouble.LOGIN or not provider.login_command:
        return decision
    mend = f"log in with `{provider.login_command}`, then `samoloop resume {worker.session.name}`"
    return replace(decision, reason=f"{decision.reason.rstrip('. ')}; {mend}")
