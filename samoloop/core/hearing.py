"""A person's words for the next child: taken where a child will follow, else refused with what to do instead."""

from samoloop.base.errors import SessionError
from samoloop.base.files import write_atomic
from samoloop.core import gates
from samoloop.core.control import control_of
from samoloop.core.gates import INBOX
from samoloop.core.session import REPORT, Session
from samoloop.core.state import ENDED, State

_FROM = "From "


def tell(session: Session, text: str, by: str) -> None:
    """Guidance for the next child. Raises SessionError, with nothing told, where none would follow."""
    refuse_unheard(session)
    gates.tell(session.dir, text, by)
    with gates.changing(session.dir):
        now = Session(session.dir)
        if now.state().condition in ENDED:  # it ended just then, and its worker had looked for words before
            _take_back(now, text, by)
            raise unheard(now)


def refuse_unheard(session: Session) -> None:
    """Raises SessionError where no child would read words for the next one."""
    state = session.state()
    if hears(state):
        return
    if state.condition in ENDED:
        raise unheard(session)
    raise SessionError(
        f"the approval that {session.name} waits for ends it, so no child would read your words: "
        f'`samoloop changes {session.name} -m "..."` gives them to the child that plans'
    )


def unheard(session: Session) -> SessionError:
    """Why words for a session that is done are refused."""
    return SessionError(
        f'{session.name} is done, so no child reads it; one more thing: samoloop resume {session.name} -m "..." '
        f"(its report: {session.dir / REPORT})"
    )


def hears(state: State) -> bool:
    """Whether a child follows that would read words for the next one."""
    return state.condition not in ENDED and not ends_with_gate(state)


def ends_with_gate(state: State) -> bool:
    """Whether the gate that is open, or asked for, ends the session once it is passed: no child follows it."""
    kind = state.gate.kind if state.gate else state.wanted.wait_for if state.wanted else None
    workflow = state.live_workflow
    return kind is not None and kind is workflow.phase(state.phase).gate and workflow.after(state.phase) is None


def unread_by(session: Session) -> str:
    """Who said last what no child was told yet; empty where there is nothing."""
    lines = (gates.read_text(session.control / INBOX) or "").splitlines()
    found = [line for line in lines if line.startswith(_FROM) and line.endswith(":")]
    return found[-1][len(_FROM) : -1] if found else ""


def _take_back(session: Session, text: str, by: str) -> None:
    path = control_of(session.dir) / INBOX
    before, said = gates.read_text(path) or "", gates.as_told(text, by)
    if before.endswith(said):
        write_atomic(path, before.removesuffix(said))
