"""Put a session right that no worker goes on with, because something of it is not what it was: a person says so."""

from samoloop.core.control import lay_links
from samoloop.core.session import Session
from samoloop.worker.lease import FILES
from samoloop.worker.roots import take_anew


def repair(session: Session) -> list[str]:
    """Take the session's folders as they are now. Returns sentences that say what was done.

    Raises LockHeld while a worker is at it, and RootChanged where a folder is a link: nobody works through one.
    """
    with FILES.taken(session):
        session.forget()
        lines = [f"the {name} is {root.path}" for name, root in take_anew(session).items()]
        lay_links(session.dir, session.control)
    return lines or ["Nothing had changed."]
