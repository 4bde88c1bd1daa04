"""How a session stands, and what follows: for commands that leave it to the next one, or to a machine of its fleet."""

from samoloop.base.locks import is_held
from samoloop.core import gates
from samoloop.core.control import LOCK, is_fleets
from samoloop.core.gates import Closing
from samoloop.core.next_steps import outlook
from samoloop.core.session import Session
from samoloop.core.state import ENDED, Condition
from samoloop.ui.terminal.output import say


def stands(session: Session) -> str:
    """How a session stands and what to do next, in a sentence's half."""
    ahead = outlook(session, at_work=is_held(session.control / LOCK))
    is_now = f"it waits for {ahead.waits_for}" if ahead.waits_for else ahead.decided or _condition(session)
    return f"{is_now}; next: {ahead.steps[0].command}" if ahead.steps else is_now


def _condition(session: Session) -> str:
    state = session.state()
    return f"it is {state.condition}" + (f" in {state.phase}" if state.condition not in ENDED else "")


def say_what_follows(session: Session) -> None:
    """Without a worker nothing happens by itself: name the command that goes on. Nothing follows where it is done."""
    session.forget()
    state = session.state()
    if state.condition is Condition.DONE:
        return
    if is_fleets(session.dir):
        is_open = state.gate and not isinstance(gates.examine(state.gate, session.dir, session.worktree), Closing)
        if is_open or state.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED):
            say(f"It goes on when a person lets it: {stands(session)}")
        else:
            say("A machine of the fleet goes on from here: samoloop fleet status")
    elif not is_held(session.control / LOCK):
        say(f"No worker is running; go on with: samoloop resume {session.name}")
