"""From decisions to announcements: what a person should hear of."""

from dataclasses import replace

from samoloop.core import ceilings, words
from samoloop.core.headline import concluded, headline
from samoloop.core.records import Warned
from samoloop.core.rules import Decision, Kind
from samoloop.core.state import Condition
from samoloop.core.words import News
from samoloop.worker import proofs
from samoloop.worker.keeping import result
from samoloop.worker.outbox import Announcement
from samoloop.worker.worker import Worker

WARN_SHARE = 0.8
SHORT_SECONDS = 120  # shorter waits are nobody's business


def tell_decision(worker: Worker, decision: Decision) -> None:
    """Announce what is news: an end, a limit, a ceiling that comes near. Gates announce themselves when they open."""
    kind = None if decision.stands_in else words.DECISIONS[decision.kind].news
    soon = decision.not_before is not None and decision.not_before - worker.clock.epoch() < SHORT_SECONDS
    if kind is not None and not (kind is News.LIMITED and soon):
        worker.announce(about(worker, kind, decision.reason or decision.summary, decision))
    elif decision.kind is Kind.WAIT and decision.gate is None and worker.state.gate is None:
        worker.announce(about(worker, News.BLOCKED, decision.reason, decision))
    warn_of_ceilings(worker)


def tell_turn(worker: Worker, decision: Decision) -> None:
    """Announce who stands in for whom since the last child, and that one works again."""
    if worker.state.turn:
        worker.announce(about(worker, News.STAND_IN, worker.state.turn, decision))


def tell_start(worker: Worker) -> None:
    """Announce a session that begins, once."""
    if worker.state.iteration == 0:
        worker.announce(about(worker, News.STARTED, ""))


def tell_resumed(worker: Worker, by: str) -> None:
    """Announce that a person has a session go on; at a gate or in a limit it does not yet."""
    if worker.state.condition is Condition.READY and worker.state.iteration:
        worker.announce(about(worker, News.RESUMED, f"resumed by {by.partition(' (')[0]}"))


def tell_limit_is_over(worker: Worker) -> None:
    """Announce that it goes on after a limit of which a person heard; a station before the next child."""
    state = worker.state
    ended = state.ended
    if state.condition is not Condition.LIMITED or ended is None or ended.decision.kind is not Kind.LIMITED:
        return
    if state.not_before and state.not_before - ended.outcome.at >= SHORT_SECONDS:
        said = about(worker, News.RESUMED, f"the limit of {ended.provider} is over")
        worker.announce(replace(said, resumes_at=state.not_before))  # each limit's end is news


def warn_of_ceilings(worker: Worker) -> None:
    """Once per ceiling and allowance, at 80 %."""
    state, given = worker.state, (worker.config.ceilings, worker.config.phase_ceilings())
    virtual = ceilings.virtual_shares(state, *given)
    for name, share in (ceilings.shares(state, *given) | virtual).items():
        if share >= WARN_SHARE and name not in state.warned:
            worker.session.record(Warned(ceiling=name, share=round(share, 3)))
            text = f"{share:.0%} of the ceiling of {name} is used"
            text += "; a subscription covers it, so it stops nothing" if name in virtual else ""
            worker.view.say(text)
            worker.announce(about(worker, News.BUDGET, text))


def about(worker: Worker, kind: News, text: str, decision: Decision | None = None) -> Announcement:
    """An announcement of this session as it stands."""
    state, session = worker.state, worker.session
    commits, diff_stat = result(worker) if kind is News.DONE else ([], "")
    if kind is News.DONE:
        told = proofs.section(session, "In short") or text
        text = f"{headline(concluded(session.journal))}\n\n{told}".rstrip()
    return Announcement(
        kind=kind,
        session=session.name,
        title=session.task,
        phase=state.phase,
        iteration=state.iteration,
        text=text,
        needs=decision.needs if decision else "",
        resumes_at=decision.not_before if decision else None,
        cost_usd=state.totals.cost_usd if not state.totals.unpriced else None,
        virtual_usd=state.totals.virtual_usd,
        ceiling_usd=worker.config.ceilings.cost_usd,
        seconds=state.totals.seconds,
        branch=session.branch,
        commits=tuple(f"{oid[:10]} {subject}" for oid, subject in commits),
        diff_stat=diff_stat,
        gaps=proofs.section(session, "Known gaps") if kind is News.DONE else "",
        command=f"samoloop resume {session.name}" if kind is not News.DONE else "",
    )
