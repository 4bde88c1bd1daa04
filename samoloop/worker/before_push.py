"""What a push went by before the session's first child: hooks, remotes, and the programs of git's configuration.

A child that is in no sandbox can write them, and they run as the person once the branch is pushed. So what is not as it
was then is used only when a person has seen it.
"""

import json
import os
from collections.abc import Mapping

from samoloop.base.files import read_plain, sha256, write_anew
from samoloop.core.records import Placed, Record, Started
from samoloop.core.session import Session
from samoloop.git.remote import push_settings
from samoloop.git.repo import Repo
from samoloop.worker.worker import Worker

_ROOM = "push"
_FILE = "_push.json"  # a hash for each name
_BYTES = 1_000_000
_SHOWN, _LENGTH = 10, 200
_SECRET = ("http", "credential")  # whose values may be a login


def note_push(worker: Worker) -> Mapping[str, str]:
    """Keep what a push would go by, once a session on each machine; its hash. A station of a worker, which looks."""
    created, path = worker.state.created, worker.session.control / _FILE
    if created.repo is None or _before_first(worker.session):
        return {}
    if not path.exists():
        write_anew(path, _text(push_settings(Repo(created.root, created.repo))))
    return {_ROOM: sha256(_kept_text(worker.session))}


def _before_first(session: Session) -> str | None:
    """The hash that the first child on this machine was started with; None before any."""
    machine = ""
    first: dict[str, str | None] = {}
    for record in session.journal.only(_tells):
        match record:
            case Placed():
                machine = record.machine
            case Started():
                first.setdefault(machine, record.seen.get(_ROOM))
    return first.get(machine)


def _tells(record: Record) -> bool:
    return isinstance(record, Placed) or (isinstance(record, Started) and _ROOM in record.seen)


def digest(settings: Mapping[str, str]) -> str:
    """By which a person names what they have seen."""
    return sha256(_text(settings))[:12]


def changes(session: Session, settings: Mapping[str, str]) -> list[str]:
    """What is not as it was before the first child, a line each; nothing where all is, or where none worked here."""
    if _came_alone(session):
        return []
    was = _before_first(session)
    if was == sha256(_text(settings)):
        return []
    known = _kept(session, was) if was else None
    if known is None:
        return ["it is not known what they were before the session's first child"]
    now = _hashes(settings)
    names = sorted(name for name in known.keys() | now.keys() if known.get(name) != now.get(name))
    lines = [_line(name, settings) for name in names[:_SHOWN]]
    return lines if len(names) <= _SHOWN else [*lines, f"and {len(names) - _SHOWN} more"]


def _came_alone(session: Session) -> bool:
    """Whether the session came from another machine, and no child of it had this one's files in reach."""
    machine, worked = "", set()
    for record in session.journal.only(lambda one: isinstance(one, Placed | Started)):
        if isinstance(record, Placed):
            machine = record.machine
        else:
            worked.add(machine)
    return bool(machine) and machine not in worked and not os.path.lexists(session.control / _FILE)


def _line(name: str, settings: Mapping[str, str]) -> str:
    if name not in settings:
        return f"{name} is gone"
    if name.startswith(("hook ", *_SECRET)):
        return f"{name} is another one"
    return f"{name} = {' '.join(settings[name].split())[:_LENGTH]}"


def _kept(session: Session, was: str) -> dict[str, str] | None:
    text = _kept_text(session)
    return dict(json.loads(text)) if sha256(text) == was else None


def _kept_text(session: Session) -> str:
    try:
        return (read_plain(session.control / _FILE, _BYTES) or b"").decode(errors="replace")
    except ValueError:
        return ""


def _text(settings: Mapping[str, str]) -> str:
    return json.dumps(_hashes(settings), sort_keys=True)


def _hashes(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: sha256(value) for name, value in settings.items()}
