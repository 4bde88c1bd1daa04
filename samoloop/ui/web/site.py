"""All registered projects and their sessions, as the pages show them."""

from collections.abc import Mapping
from typing import Any

from samoloop.api.status import ranked, row
from samoloop.base.errors import SessionError
from samoloop.base.files import sha256
from samoloop.config.project import sessions_folder
from samoloop.config.projects import registered
from samoloop.core.session import Session, all_sessions


class Gone(SessionError):
    """A session whose page is open was archived, moved or removed, or its project is not to be reached."""


class Site:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def rows(self) -> list[dict[str, Any]]:
        return ranked(row(one) | {"url": url_of(one)} for root in registered(self._environ) for one in self._in(root))

    def session(self, tag: str, name: str) -> Session:
        for root in registered(self._environ):
            for one in self._in(root):
                if (_tag(one), one.name) == (tag, name):
                    return one
        raise Gone(f"there is no session {name} any more")

    def _in(self, root: Any) -> list[Session]:
        return list(all_sessions(sessions_folder(root, self._environ)))


def _tag(session: Session) -> str:
    return sha256(str(session.dir))[:8]


def url_of(session: Session) -> str:
    return f"/s/{_tag(session)}/{session.name}"
