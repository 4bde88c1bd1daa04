"""The sessions that the relay serves, as it sees them: read from their files, never written."""

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from samoloop.base.errors import SamoloopError
from samoloop.base.files import sha256, stamp
from samoloop.base.locks import is_held
from samoloop.config.bot_folder import BotFolder, Registered
from samoloop.core import gates, words
from samoloop.core.control import LOCK, control_of, is_fleets
from samoloop.core.gates import INBOX, Closing, Gate, StillOpen, Void, examine, read_text
from samoloop.core.journal import FILE_NAME, Journal
from samoloop.core.records import GateClosed, GateVoid, Record, Rewound
from samoloop.core.session import session_tag
from samoloop.core.state import AT_REST, ENDED, GOING_ON, State, apply, fold
from samoloop.ui.telegram import render
from samoloop.ui.telegram.ledger import Ledger
from samoloop.ui.telegram.render import Outgoing, short_name
from samoloop.ui.telegram.updates import SIGNED


@dataclass
class Known:
    """One session: its folder, its ledger, its state as last read."""

    session_dir: Path
    root: Path
    ledger: Ledger
    closings: dict[str, GateClosed | GateVoid] = field(default_factory=dict)  # by the gate's id
    state: State = field(default_factory=State)
    project: str = ""  # its name, where the bot serves several
    changes: int = 0  # how often it was found different
    _seen: Any = None
    _journal: Journal | None = None
    _folded: list[Record] = field(default_factory=list)  # what the state was folded from
    _turn: Any = field(default_factory=threading.RLock, compare=False)  # updates are handled in a thread of their own
    _acted: tuple[int, tuple[str, str]] = (0, ("", ""))  # `phone_act` as it was at that many changes

    @property
    def name(self) -> str:
        return self.session_dir.name

    @property
    def short(self) -> str:
        return short_name(self.name)

    @property
    def label(self) -> str:
        """What the chat calls it."""
        return f"{self.project} · {self.short}" if self.project else self.short

    @property
    def gate(self) -> Gate | None:
        return self.state.gate

    @property
    def waits_with(self) -> str:
        """A name for what it waits for a person with; empty where it does not."""
        if self.state.gate is not None:
            return self.state.gate.id
        return f"iteration {self.state.iteration}" if self.state.condition in AT_REST - ENDED else ""

    @property
    def has_worker(self) -> bool:
        return is_held(control_of(self.session_dir) / LOCK)

    @property
    def is_fleets(self) -> bool:
        return is_fleets(self.session_dir)

    @property
    def is_at_work(self) -> bool:
        """Whether a worker is, or as far as this copy knows one of another machine that shares the session."""
        return self.has_worker or (self.is_fleets and self.state.condition in GOING_ON)

    @property
    def ended(self) -> bool:
        return self.state.condition in ENDED

    def look(self) -> bool:
        """Read the session again where a file of it has changed; returns whether one had.

        Raises SamoloopError where the journal is damaged.
        """
        with self._turn:
            gate = self.state.gate
            more = gates.watched(gate, self.session_dir, self.state.created.worktree) if gate else []
            known = control_of(self.session_dir)
            answers = [self.session_dir / name for name in gates.FILES]
            seen = tuple(stamp(path) for path in (known / FILE_NAME, *answers, known / INBOX, *more))
            if seen == self._seen:
                return False
            self.changes += 1
            if self._seen is None or seen[0] != self._seen[0]:
                self._read_journal()
            self._seen = seen
            return True

    def records(self) -> list[Record]:
        path = control_of(self.session_dir) / FILE_NAME
        with self._turn:
            if self._journal is None or self._journal.path != path:
                self._journal = Journal(path)
            return self._journal.read()

    def _read_journal(self) -> None:
        """Only what is new acts on the state, so that a long session is as quick as a young one."""
        records, before = self.records(), self._folded
        fresh = records[len(before) :]
        if records[: len(before)] != before or any(isinstance(record, Rewound) for record in fresh):
            self.state, self.closings = fold(records), {}
            fresh = records
        else:
            state = copy(self.state)  # another thread may be looking at it
            for record in fresh:
                state = apply(state, record)
            self.state = state
        closed = {record.gate: record for record in fresh if isinstance(record, GateClosed | GateVoid)}
        self.closings = {**self.closings, **closed}
        self._folded = records

    def decision(self) -> Closing | Void | None:
        """What a person has decided at the open gate, whether or not a worker has seen it yet."""
        if self.state.gate is None:
            return None
        found = examine(self.state.gate, self.session_dir, self.state.created.worktree)
        return None if isinstance(found, StillOpen) else found

    def phone_act(self) -> tuple[str, str]:
        """What a person did from the phone that no worker has taken up yet, as a name for it, and who did it.

        Both are empty where there is nothing. It is read from the files, so a relay that was killed finds it again.
        """
        if self._acted[0] != self.changes:
            self._acted = self.changes, self._read_act()
        return self._acted[1]

    def _read_act(self) -> tuple[str, str]:
        if self.state.gate is not None:
            decision = self.decision()
            if isinstance(decision, Void):  # a worker opens the gate anew
                return f"void {self.state.gate.id}", "the phone"
            names = [name for name in (decision.by if decision else "").split(", ") if SIGNED in name]
            return (f"gate {self.state.gate.id}", names[-1]) if names else ("", "")
        last = self._folded[-1] if self._folded else None
        if isinstance(last, GateClosed) and SIGNED in last.by:  # a worker was killed before the next child
            return f"closed {last.gate}", last.by.split(", ")[-1]
        words = read_text(control_of(self.session_dir) / INBOX)
        found = [line for line in (words or "").splitlines() if line.startswith("From ") and SIGNED in line]
        return (f"guidance {sha256(words or '')}", found[-1][len("From ") :].rstrip(":")) if found else ("", "")

    def status(self, now: float) -> Outgoing:
        """The message that says where it stands."""
        state = self.state
        began = datetime.fromisoformat(state.created.at).timestamp() if state.created.at else now
        works = state.condition in GOING_ON and self.has_worker
        until = now if works or not state.updated else datetime.fromisoformat(state.updated).timestamp()
        return render.status(self.label, state, max(until - began, 0), self.note())

    def note(self) -> str:
        """What it waits for, or why it stands as it does; empty where there is nothing to say."""
        gate = self.state.gate
        if gate is None:
            return self.state.reason
        decided = self.decision()
        if isinstance(decided, Closing):
            return words.closed(gate, replace(decided, by=render.names(decided.by)))
        return f"waits for {words.waits_for(gate)}"


class Sessions:
    """All of them, kept in step with the register."""

    def __init__(self, folder: BotFolder, chat: int) -> None:
        self.broken: dict[Path, str] = {}  # those that cannot be read, and why
        self._folder = folder
        self._chat = chat
        self._known: dict[Path, Known] = {}
        self._turn = threading.Lock()  # updates are handled in another thread than the one that speaks

    def refresh(self) -> list[Known]:
        """Those that can be read now. Raises OSError where the register cannot."""
        registered = {known.session_dir: known for known in self._folder.sessions()}
        with self._turn:
            for gone in (self._known.keys() | self.broken.keys()) - registered.keys():
                self._known.pop(gone, None)
                self.broken.pop(gone, None)
            found = [known for entry in registered.values() if (known := self._look(entry))]
        several = len({entry.root for entry in registered.values()}) > 1
        for known in found:
            known.project = known.root.name if several else ""
        return found

    def _look(self, entry: Registered) -> Known | None:
        known = self._known.get(entry.session_dir)
        try:
            if known is None:
                ledger = Ledger.load(entry.session_dir, self._chat)
                known = self._known[entry.session_dir] = Known(entry.session_dir, entry.root, ledger)
            known.look()
        except (SamoloopError, OSError) as error:
            self.broken[entry.session_dir] = str(error)
            return None
        self.broken.pop(entry.session_dir, None)
        return known if known.state.creation else None

    def move(self, chat: int) -> None:
        """The chat has another number from now on, and its messages are numbered anew."""
        with self._turn:
            self._chat = chat
            for known in self._known.values():
                known.ledger.move(chat)

    def by_tag(self, tag: str) -> Known | None:
        """The session that a button names."""
        return self._find(lambda known: session_tag(known.session_dir) == tag)

    def by_message(self, message_id: int) -> Known | None:
        """The session that a message belongs to."""
        return self._find(lambda known: message_id in known.ledger.messages)

    def by_thread(self, thread: int) -> Known | None:
        return self._find(lambda known: known.ledger.topic == thread)

    def _find(self, fits: Callable[[Known], bool]) -> Known | None:
        """The one that fits: whoever waits for it does not wait for a look at all others."""
        with self._turn:
            known = next((known for known in self._known.values() if fits(known)), None)
            if known and known.session_dir.is_dir() and self._look(Registered(known.session_dir, known.root)):
                return known
        return next((known for known in self.refresh() if fits(known)), None)

    def newest_message(self) -> int:
        """The last message that any session sent; 0 before the first."""
        return max((known.ledger.newest for known in [*self._known.values()] or self.refresh()), default=0)

    def named(self, word: str, *, whole: bool = False) -> list[Known]:
        """Those that a word can mean: in each project the newest of that name, with or without its date; else, unless
        it has to be the `whole` name, all whose name begins so.
        """
        word, everything = word.lower(), sorted(self.refresh(), key=lambda known: known.name)
        exact = {known.root: known for known in everything if word in (known.name.lower(), known.short.lower())}
        begun = [known for known in everything if word and known.short.lower().startswith(word)]
        return list(exact.values()) or ([] if whole else begun)

    def likely(self) -> list[Known]:
        """Those that a person can mean who names none: all that are not over, or all."""
        everything = self.refresh()
        return [known for known in everything if not known.ended] or everything
