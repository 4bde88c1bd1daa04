"""Settings that nobody has seen: a project's files, and programs in git's configuration, that changed since a person
last had the session go on.

A child can write them, and they name commands that run as the person. A worker goes on with the settings that it was
started with; a start with others needs a person who was shown what changed.
"""

from pathlib import Path

from samoloop.base.errors import SessionError
from samoloop.base.files import read_plain, sha256
from samoloop.config.keys import Config
from samoloop.config.settings_files import changed_names, differences, programs_in, settings_now
from samoloop.core.records import Resumed, Started
from samoloop.core.session import Session
from samoloop.git import drivers
from samoloop.git.calls import Git
from samoloop.git.checkout import registered
from samoloop.git.mending import odd_files
from samoloop.worker.outside import SETTINGS, SETTINGS_FILE

_BYTES = 10_000_000
_NAMED = 5


def as_they_are(session: Session, settings: Config) -> str:
    """The settings' files and git's programs now, see `config.settings_files`. In place git runs none."""
    created = session.state().created
    programs = git_of(created.repo, session.worktree).programs() if created.repo else {}
    return settings_now(settings, programs, in_reach=created.in_place)


def git_of(repo: Path, worktree: Path) -> Git:
    """Git in the worktree; in the repository while that has files that git must not read, and that are mended later."""
    own = registered(repo, worktree)
    return Git(repo if own is None or any(odd_files(own)) else own)


def believe(session: Session, settings: str | None) -> None:
    """Let git run no program in the session's repository but those that such a text names; None: none at all."""
    if repo := session.state().created.repo:
        drivers.believe(repo, programs_in(settings) if settings else {})


def believe_last_seen(session: Session) -> None:
    """Let git run those alone that the last child's worker knew."""
    if _known(session) is not None:
        believe(session, last_seen(session))


def refuse_unseen(session: Session, settings: Config, shown: str) -> None:
    """Raise SessionError where a child has worked with other settings; `shown` is the hash of what a person saw."""
    now = as_they_are(session, settings)
    if not _are_new(session, now) or sha256(now) == shown:
        return
    before = last_seen(session)
    names = changed_names(before, now) if before else []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    what = f" ({', '.join(names[:_NAMED])}{more})" if names else ""
    raise SessionError(
        f"the settings in {settings.root}{what} changed since a person last started {session.name}, and a child can "
        f"write them: `samoloop resume {session.name}` at a terminal shows what changed, and goes on with them"
    )


def unseen_changes(session: Session, settings: Config) -> list[str]:
    """What a person is to be shown before the session goes on with these settings; nothing where they are known."""
    now = as_they_are(session, settings)
    if not _are_new(session, now):
        return []
    before = last_seen(session)
    return differences(before, now) if before else [f"the settings in {settings.root} were changed"]


def _are_new(session: Session, now: str) -> bool:
    known = _known(session)
    return known is not None and known != sha256(now)


def _known(session: Session) -> str | None:
    """The hash of the settings that a child's worker had, or a person was shown, last; None before any child."""
    known, has_worked = None, False
    for record in session.journal.read():
        match record:
            case Started():
                known, has_worked = record.seen.get(SETTINGS), True
            case Resumed():
                known = record.shown
    return known if has_worked else None


def last_seen(session: Session) -> str | None:
    """Those settings; None where they are not kept any more."""
    try:
        text = (read_plain(session.control / SETTINGS_FILE, _BYTES) or b"").decode()
    except ValueError:
        return None
    return text if sha256(text) == _known(session) else None
