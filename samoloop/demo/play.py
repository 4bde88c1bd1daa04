"""A whole session in this process, for the demo and the examples: by the two doors that everybody takes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from samoloop.api.asked import How, Order
from samoloop.api.go_on import OpenView
from samoloop.api.hand_off import hand_off
from samoloop.children.stop import StopRequest
from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.core.session import Session
from samoloop.worker.view import View

SCRIPT = "demo"  # the provider that plays a scenario
_SANDBOX = "SAMOLOOP_SANDBOX"  # a person's choice for all that children do, also of those that are for show


def alone(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for the scripted child in the repository `root`, in which the project's settings alone count.

    The person's own could name another provider, or a phone; and `up` need not know of a project that is for show.
    """
    nobody = str(root / ".git" / "samoloop-demo")
    others = {name: value for name, value in environ.items() if not name.startswith(("SAMOLOOP_", "TELEGRAM_"))}
    kept = others | {name: environ[name] for name in (_SANDBOX,) if name in environ}
    return kept | {"XDG_CONFIG_HOME": nobody, "XDG_STATE_HOME": nobody}


def begin(root: Path, task: str, name: str, provider: str | None, environ: Mapping[str, str]) -> Session:
    """A new session in the repository `root`; folder and branch get the name.

    `provider` is what the person chose, which a later `samoloop resume` goes by; None: the settings tell.
    """
    said = {"provider": provider} if provider else {}
    return hand_off(Order(root, task, name=name, said=said), environ)


def how(*, yes: bool = False, no_wait: bool = False) -> How:
    """How such a session goes on: it says itself what there is to see, and is soon over."""
    return How(yes=yes, no_wait=no_wait, allow_sleep=True, greets=False)


class Told:
    """Another view, and below each iteration what the child said last."""

    def __init__(self, inner: View) -> None:
        self._inner = inner
        self.say = inner.say
        self.started = inner.started
        self.progress = inner.progress
        self.waiting = inner.waiting
        self.announced = inner.announced

    def ended(self, event: Ended, decision: Decision) -> None:
        self._inner.ended(event, decision)
        if event.said:
            self.say(f"      “{' '.join(event.said.split())}”")


def telling(open_view: OpenView) -> OpenView:
    """The same views, which also tell what each child said."""

    @contextmanager
    def opened(session: Session, stop: StopRequest) -> Iterator[View]:
        with open_view(session, stop) as view:
            yield Told(view)

    return opened
