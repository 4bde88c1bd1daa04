"""The report of a session as it stands now, whether or not a worker is at work."""

from collections.abc import Mapping

from samoloop.api.assembly import onlooker
from samoloop.core.session import Session
from samoloop.worker.keeping import result
from samoloop.worker.report import render


def report(session: Session, environ: Mapping[str, str]) -> str:
    """The text that would be written now; nothing is."""
    worker = onlooker(session, environ)
    return render(session, list(session.journal.read()), *result(worker))
