"""What a button carries: 64 bytes that name one gate and the very text that was shown with it.

`kind|session|target|hash|choice`. The hash binds the tap to what the person saw, so a button under an old message can
never act on a newer gate, plan or question.
"""

from enum import StrEnum

from samoloop.api.deciding import DIGEST
from samoloop.base.files import sha256
from samoloop.base.values import frozen

LONGEST_TARGET_BYTES = 30


class About(StrEnum):
    """What a tap is about."""

    ANSWER = "a"  # choice: the option's letter
    PICK = "q"  # the same, on the one message that holds all questions
    SUGGESTED = "s"  # take the suggestion of every question that is open
    WORDS = "w"  # open the reply box for an answer in words
    CHANGE = "c"  # show the buttons again of what was decided
    PLAN = "p"  # choice: Plan
    ACTION = "d"  # what was asked for is done; choice: Done
    LEARN = "l"  # take over what was proposed; choice: its number, or all
    DRAFT = "h"  # say what a draft is for; choice: Use


class Plan(StrEnum):
    APPROVE = "A"
    CHANGES = "C"
    REJECT = "R"  # asks once
    REALLY_REJECT = "X"


class Done(StrEnum):
    YES = ""
    DECLINE = "N"  # opens the reply box for the reason


class Use(StrEnum):
    """What to do with a draft."""

    TELL = "tell"  # guidance for the session's next iteration
    CHANGES = "changes"  # a request for changes to the plan
    ANSWER = "answer"  # the answer to a question that waits
    DONE = "done"  # what was asked for is done, and how
    DECLINE = "decline"  # it will not be done, and why
    RUN = "run"  # the command that it holds, for that session
    START = "start"  # begin a session with it
    DROP = "drop"


@frozen
class Press:
    """The content of one button."""

    kind: About
    session: str
    target: str
    hash: str
    choice: str = ""

    def pack(self) -> str:
        return "|".join((self.kind, self.session, self.target, self.hash, self.choice))


def unpack(data: str) -> Press | None:
    """The inverse of `Press.pack`; None for anything that is not ours."""
    parts = data.split("|")
    if len(parts) != 5 or parts[0] not in set(About):
        return None
    return Press(About(parts[0]), *parts[1:])


def target_tag(gate: str, question: str = "") -> str:
    """Names a gate, or one question of it; an overlong name is replaced by its digest."""
    target = f"{gate}/{question}" if question else gate
    return target if len(target.encode()) <= LONGEST_TARGET_BYTES and "|" not in target else sha256(target)[:DIGEST]
