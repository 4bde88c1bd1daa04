"""What is to be said after an update had its effect."""

from collections.abc import Callable

from samoloop.base.values import frozen
from samoloop.ui.telegram.render import Outgoing, Rows
from samoloop.ui.telegram.sessions import Known


@frozen
class Toast:
    """Answers a tap."""

    query: str
    text: str


@frozen
class Post:
    """Messages to send. `make` may take a moment (it runs commands) and is called outside the event loop."""

    make: Callable[[], list[Outgoing]]
    known: Known | None = None  # whose topic and ledger they belong to
    thread: int | None = None  # where no session is known


@frozen
class Edit:
    """Gives a message of ours another text, and other buttons or none."""

    message_id: int
    html: str
    rows: Rows = ()


Reaction = Toast | Post | Edit
