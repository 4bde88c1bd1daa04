"""What comes out: the branch of a session that is done, pushed to the person's remote, and a pull request for it.

Each step may be taken again: a push that was made is made, and a pull request is looked for before one is opened. What
fails is recorded and said; the session stays done whatever comes of it.
"""

from collections.abc import Mapping
from contextlib import suppress

from samoloop.api import forge
from samoloop.api.asked import How
from samoloop.api.assembly import assembled
from samoloop.api.settings import settings_of
from samoloop.base import errors
from samoloop.base.errors import GitError, SamoloopError, SessionError, UsageError
from samoloop.children.stop import StopRequest
from samoloop.config.keys import Finish
from samoloop.core.decision import Condition
from samoloop.core.finished import BEGUN, FAILED, OPENED, PUSHED, Finished, finished
from samoloop.core.headline import concluded
from samoloop.core.records import RoomRecord
from samoloop.core.session import Session
from samoloop.core.words import News
from samoloop.git import remote
from samoloop.git.repo import Repo
from samoloop.worker import before_push, news, proofs
from samoloop.worker.keeping import base_of, result
from samoloop.worker.lease import locked
from samoloop.worker.report import write_report
from samoloop.worker.roots import hold
from samoloop.worker.view import Quiet
from samoloop.worker.worker import Worker


def after_done(worker: Worker) -> None:
    """Do what the settings say, where that is still to be done. What fails is recorded and said, and raises nothing."""
    what = worker.config.finish
    if what is Finish.NONE or worker.state.created.in_place or not _is_left(worker, what):
        return
    with suppress(SamoloopError, OSError):
        for line in _recorded(worker, what, ""):
            worker.view.say(line)


def finish(session: Session, environ: Mapping[str, str], what: Finish | None, seen: str) -> list[str]:
    """The same on a person's word, `what` or by the settings; sentences that say what came of it.

    `seen` names the settings of git that they were shown. Raises LockHeld while a worker is at it, and SamoloopError
    where it cannot be done.
    """
    with locked(session):
        hold(session)
        what = what or settings_of(session, environ).finish
        if session.state().condition is not Condition.DONE:
            raise UsageError(
                f"{session.name} is not done ({session.state().condition}): `samoloop resume {session.name}` goes on"
            )
        if what is Finish.NONE:
            raise UsageError(
                f"say what to do: `samoloop finish {session.name} --push` pushes its branch, --pr opens a pull request "
                "too; `finish: pr` in your own settings says it for all"
            )
        with assembled(
            session, settings_of(session, environ), How(), environ=environ, stop=StopRequest(), view=Quiet()
        ) as worker:
            return _recorded(worker, what, seen)


def _is_left(worker: Worker, what: Finish) -> bool:
    known, tip = finished(worker.session.journal), _tip(worker)
    if tip is None or tip == base_of(worker, tip):
        return False
    return known.commit != tip or (what is Finish.PR and not known.url)


def _recorded(worker: Worker, what: Finish, seen: str) -> list[str]:
    """Do it; journal, report and announcement have what came of it. Raises SamoloopError and OSError."""
    session, before = worker.session, finished(worker.session.journal)
    if before.commit == _tip(worker) and (before.url or what is Finish.PUSH) and not before.failed:
        return before.lines()  # a merged branch that the forge has removed is not pushed again
    if not before.begun:
        session.record(RoomRecord(name=BEGUN, values={"what": str(what)}))
        before = finished(session.journal)
    try:
        _do(worker, what, seen)
    except (SamoloopError, OSError) as error:
        why, again = errors.sentence(error), f"samoloop finish {session.name}"
        why = why if again in why else f"{why}; then `{again}` does it again"
        session.record(RoomRecord(name=FAILED, values={"why": why}))
        _tell(
            worker, f"{'No pull request' if finished(session.journal).commit == _tip(worker) else 'Not pushed'}: {why}"
        )
        raise SamoloopError(why) from None
    now = finished(session.journal)
    if now != before:
        _tell(worker, "\n".join(reversed(now.lines())))
    return now.lines()


def _tell(worker: Worker, text: str) -> None:
    write_report(worker)
    worker.announce(news.about(worker, News.FINISHED, text))


def _do(worker: Worker, what: Finish, seen: str) -> None:
    session, created, tip = worker.session, worker.state.created, _tip(worker)
    if created.repo is None:
        raise UsageError(f"{session.name} works in place: it has no branch of its own to push")
    if tip is None:
        raise GitError(f"the branch {session.branch} is gone: `git branch {session.branch} COMMIT` brings it back")
    if tip == base_of(worker, tip):
        raise UsageError(f"{session.name} has no commit of its own: there is nothing to push")
    repo, known = Repo(created.root, created.repo), finished(session.journal)
    settings = remote.push_settings(repo)
    _refuse_unseen(session, settings, seen)
    where = remote.push_remote(repo, settings)
    remote.push(repo, where, session.branch, tip, settings)
    values = {"remote": where, "branch": session.branch, "commit": tip}
    if dict(known.pushed) != values or known.failed:
        session.record(RoomRecord(name=PUSHED, values=values))
    if what is Finish.PR:
        _open(worker, forge.of(remote.address(repo, where), repo.root, worker.environ), known, where, tip)


def _refuse_unseen(session: Session, settings: Mapping[str, str], seen: str) -> None:
    changed, now = before_push.changes(session, settings), before_push.digest(settings)
    if changed and seen != now:
        raise SessionError(
            "what a push goes by is not what it was before the session's first child, and a child may have changed it: "
            f"{'; '.join(changed)}. Where it is as you want it: samoloop finish {session.name} --seen {now}"
        )


def _open(worker: Worker, there: forge.Forge, known: Finished, where: str, tip: str) -> None:
    """One pull request for the branch: the one that is there, or a new one."""
    session = worker.session
    found = there.find(session.branch)
    now = forge.newest_open(found)
    ended = next((one for one in found if one.url == known.url and one.state != "open"), None)
    if now is None and ended and known.commit == tip:
        return  # a person merged or closed it, and nothing has come since
    draft = not _is_proven(worker, tip)
    if now is None:
        text = proofs.pull_request(session, list(session.journal.read()), result(worker)[0])
        evidence = proofs.evidence(list(session.journal.read()))
        body = forge.harmless(f"{text}\n\n## Evidence\n\n{evidence}" if evidence else text)
        url = there.propose(session.branch, _base(worker, where), session.task, body, draft=draft)
        now = forge.PullRequest(url, "open", draft)
    values = {"url": now.url, "draft": now.draft, "commit": tip}
    if dict(known.opened) != values:
        session.record(RoomRecord(name=OPENED, values=values))


def _base(worker: Worker, where: str) -> str:
    """The branch that the session started from, where the remote has it; empty for the remote's default branch."""
    name = worker.state.created.start.partition(",")[0].removeprefix(f"{where}/")
    is_there = name and worker.store.ref(f"refs/remotes/{where}/{name}") is not None
    return name if is_there else ""


def _is_proven(worker: Worker, tip: str) -> bool:
    """Whether samoloop itself saw every check pass on what is pushed."""
    values = concluded(worker.session.journal)
    return bool(values.get("proven")) and values.get("commit") == tip


def _tip(worker: Worker) -> str | None:
    return worker.store.ref(f"refs/heads/{worker.session.branch}")
