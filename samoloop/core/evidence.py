"""What the worker itself saw after a child, as values: the rules take it in and stay pure."""

import re
from collections.abc import Sequence
from enum import StrEnum

from samoloop.base.values import frozen


class Weight(StrEnum):
    """What a piece of evidence does."""

    NOTE = "note"  # the next child is told
    VETO = "veto"  # the phase is not left
    UNFINISHED = "unfinished"  # the session is not done: one repair, then a human
    BLOCK = "block"  # only a human can sort it out


@frozen
class Evidence:
    """One thing that was seen."""

    source: str  # the room that saw it, one word; the kind of the note that a child gets
    weight: Weight
    text: str  # a sentence, for the next child and for a person
    detail: str = ""  # more of it, for the next child alone

    @property
    def told(self) -> str:
        """What the next child is told."""
        return f"{self.text}\n{self.detail}" if self.detail else self.text


_VETOED = re.compile(r"vetoed \d+ times by ([\w, -]+): ")


def vetoed(times: int, vetoes: Sequence[Evidence]) -> str:
    """Why a session is blocked that was held in its phase so often."""
    sources = ", ".join(dict.fromkeys(seen.source for seen in vetoes))
    return f"vetoed {times} times by {sources}: {'; '.join(seen.text for seen in vetoes)}"


def vetoed_by(reason: str) -> list[str]:
    """The sources that such a reason names; empty for another one."""
    match = _VETOED.match(reason)
    return match[1].split(", ") if match else []
