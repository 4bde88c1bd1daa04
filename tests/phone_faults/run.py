"""One run of the phone with faults: the sessions, the person, what breaks, and what was seen of it."""

import argparse
import os
import random
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot_api import BOT, TOKEN, Chat, Message, Standin
from checker import Closed, Copy, Harm, Said, Seen, violations
from harms import BROKEN_SECONDS, UNLOCKS, Harms
from kit import make_repo
from person import Person
from phone import ANN, own_settings

from samoloop.base.locks import is_held
from samoloop.config.bot_folder import BotFolder
from samoloop.config.telegram_bot import BotSettings
from samoloop.core.control import LOCK, control_of
from samoloop.core.gates import INBOX
from samoloop.core.records import GateClosed, GateOpened, Guided
from samoloop.core.session import Session, session_tag
from samoloop.ui.telegram.buttons import Press, unpack

SESSIONS = ("north", "east", "south", "west")
GROUP, SUPERGROUP = -4711, -1004711  # its number, and the one that it gets in the middle of the run
STRANGER = 666
VICTIM = "victim"  # on which the faults of a session fall
KILLS = ("SIGKILL of a worker", "SIGKILL of the relay", "SIGKILL of both")
MIGRATES = "the group becomes a supergroup"
ANSWERING = {"a", "q"}  # kinds of buttons that answer one question
PATIENCE_SECONDS = 60.0  # until a deaf phone is given up
QUIET_SECONDS = 90.0  # for all that was said to arrive, at the end
CHILD = r"""#!/bin/sh
cat > /dev/null
cd "$SAMOLOOP_SESSION_DIR"
say() { printf '%s\n' "$1" > "$SAMOLOOP_SIGNAL.tmp" && mv "$SAMOLOOP_SIGNAL.tmp" "$SAMOLOOP_SIGNAL"; }
case $SAMOLOOP_PHASE in
investigation) echo found > 11-21-0900-dive-x.md; say '{"status": "continue", "phase": "requirements"}';;
*) echo "round $SAMOLOOP_ITERATION" >> 11-21-0900-requirements-x.md
  { echo '# Questions'
    for number in $(seq $((1 + SAMOLOOP_ITERATION % 3))); do
      printf '\n### Q%s: Round %s, number %s?\n' $number $SAMOLOOP_ITERATION $number
      printf 'A) one\nB) two\nC) three\n**Suggestion:** A - first\n**Answer:** _waiting_\n'
    done; } > _qa.md
  say '{"status": "waiting", "for": "qa_answers"}';;
esac
"""


Waiting = tuple[Message, Press, dict[str, str]]  # what asks, one of its buttons, each letter's data


class Watched(Standin):
    """Also remembers when questions came."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[Copy] = []

    def store(self, chat: Chat, message: Message, shown: str, **more: Any) -> Message:
        stored = super().store(chat, message, shown, **more)
        targets = sorted({f"{press.session} {press.target}" for press, _ in presses(message)})
        if message["from"]["is_bot"] and targets:
            self.copies.append(Copy(", ".join(targets), time.monotonic()))
        return stored


def presses(message: Message) -> list[tuple[Press, str]]:
    """The buttons of a message that answer one question: what each means, and its data."""
    found = []
    for row in message.get("reply_markup", {}).get("inline_keyboard", []):
        for button in row:
            press = unpack(button["callback_data"])
            if press is not None and press.kind in ANSWERING:
                found.append((press, button["callback_data"]))
    return found


def is_held_back(session_dir: Path) -> bool:
    """Whether guidance waits for the next child."""
    inbox = control_of(session_dir) / INBOX
    return inbox.exists() and bool(inbox.read_text().strip())


class Run:
    """One run: the sessions, the person, the faults, and what was seen."""

    def __init__(self, folder: Path, standin: Watched, options: argparse.Namespace) -> None:
        self.standin, self.options = standin, options
        self.chance = random.Random(options.seed)
        self.ann = Person(standin, ANN, "Ann", standin.chat(GROUP, type="group", allowance=0))
        self.stranger = Person(standin, STRANGER, "Mallory", standin.chat(STRANGER))
        child = folder / "child.sh"
        child.write_text(CHILD)
        child.chmod(0o755)
        self.root = make_repo(folder / "repo")
        provider = {"provider": "scripted", "providers": {"scripted": {"command": [str(child)]}}}
        self.environ = {**own_settings(folder, standin.base_url, GROUP, **provider), "SAMOLOOP_SANDBOX": "off"}
        os.environ.update({name: self.environ[name] for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")})
        bot = BotFolder(BotSettings(TOKEN, GROUP, frozenset({ANN}), base_url=standin.base_url), self.environ)
        self.dirs = {name: self.start(name) for name in (*SESSIONS, VICTIM)}
        self.counted = {name: self.dirs[name] for name in SESSIONS}
        self.harms = Harms(standin, bot, self.counted, self.dirs[VICTIM])
        self.tags = {session_tag(path): name for name, path in self.dirs.items()}
        self.answered: set[tuple[str, str]] = set()
        self.said: list[Said] = []
        self.done: list[Harm] = []
        self.moved: list[float] = []  # when the chat became another one
        self.two: list[float] = []  # when one relay began beside another, whose lock was gone
        self.harmed = threading.Event()  # nothing more will break
        self.over = threading.Event()

    def samoloop(self, *words: str) -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-m", "samoloop", *words]
        return subprocess.run(argv, cwd=self.root, env=self.environ, capture_output=True, text=True, check=False)

    def start(self, name: str) -> Path:
        done = self.samoloop("run", "--detach", "--session", name, f"Ask about the {name}")
        assert done.returncode == 0, done.stdout + done.stderr
        return next((self.root / "_sessions").glob(f"*-{name}"))

    # The person

    def answer_all(self) -> None:
        """Tap what asks, in a hurry and not once only, and give guidance in between, until all is done."""
        try:
            chance = random.Random(self.options.seed + 1)
            while not (self.over.is_set() or (self.harmed.is_set() and len(self.answered) >= self.options.answers)):
                for message, press, letters in self.waiting():
                    self.answer(message, press, letters, chance)
                    if chance.random() < 0.3:
                        self.guide(chance.choice(SESSIONS))
                    time.sleep(chance.uniform(0, 0.4))
                time.sleep(0.05)
        finally:
            self.over.set()

    def guide(self, name: str) -> None:
        words = f"guidance {len(self.said):04d}"
        with self.standin.changed:
            self.said.append(Said(self.ann.say(f"/tell@{BOT['username']} {name} {words}"), name, words))

    def waiting(self) -> list[tuple[Message, Press, dict[str, str]]]:
        """Each question that has buttons and was not answered yet, with its letters and their buttons' data."""
        found = {}
        with self.standin.changed:
            for message in list(self.ann.chat.messages.values()):
                for press, data in presses(message) if message["from"]["is_bot"] else ():
                    key = press.session, press.target
                    if self.tags.get(press.session, VICTIM) != VICTIM and key not in self.answered:
                        found.setdefault(key, (dict(message), press, {}))[2][press.choice] = data
        return list(found.values())

    def answer(self, message: Message, press: Press, letters: dict[str, str], chance: random.Random) -> None:
        """Tap, and tap otherwise; nobody can tap in a group that is another one now."""
        gate, _, question = press.target.partition("/")
        for _ in range(chance.choice((1, 1, 2, 3))):
            letter = chance.choice(sorted(letters))
            with self.standin.changed:
                if message["chat"]["id"] == self.ann.chat.id:
                    self.ann.tap_data(message, letters[letter], letter)
                    self.said.append(Said(self.standin.newest_update, self.tags[press.session], letter, gate, question))
                    self.answered.add((press.session, press.target))

    # The faults

    def harm_all(self) -> None:
        """Each fault so many times, and the kills, in any order."""
        plan = [*self.harms.all()] * self.options.rounds
        plan += [self.chance.choice(KILLS) for _ in range(self.options.kills)]
        self.chance.shuffle(plan)
        plan.insert(self.chance.randint(0, len(plan)), MIGRATES)
        for name in plan:
            time.sleep(self.chance.uniform(0.1, 0.6))
            self.harm(name)
        self.harmed.set()

    def harm(self, name: str) -> None:
        undo = None
        if name in KILLS:
            if name != KILLS[0]:
                self.harms.kill_relay()
            if name != KILLS[1]:
                self.harms.kill_worker(self.chance)
            self.look_after()
        elif name == MIGRATES:
            with self.standin.changed:
                self.ann.chat = self.standin.migrate(self.ann.chat, SUPERGROUP)
                self.ann.chat.allowance = 0
            self.moved.append(time.monotonic())
        else:
            undo = self.harms.all()[name]()
            if undo:
                time.sleep(BROKEN_SECONDS)
                undo()
        at = time.monotonic()
        self.done.append(Harm(name, at, self.listening_after(at)))
        if name == UNLOCKS:
            self.two += (at, time.monotonic())
        seconds = self.done[-1].listening_after
        print(f"  {name:<40} {'deaf' if seconds is None else f'listens after {seconds:5.2f} s'}", flush=True)

    def listening_after(self, at: float) -> float | None:
        """Seconds until what a stranger says now was heard and acknowledged; None where it never is."""
        heard = self.stranger.say("hello?")
        while time.monotonic() < at + PATIENCE_SECONDS:
            with self.standin.changed:
                if not any(update["update_id"] == heard for update in self.standin.updates):
                    return time.monotonic() - at
            time.sleep(0.02)
        return None

    def look_after(self) -> None:
        """Where neither relay nor worker is left, a person goes on at the machine."""
        if not self.harms.relays() and not any(is_held(control_of(path) / LOCK) for path in self.dirs.values()):
            self.samoloop("resume", self.chance.choice(SESSIONS), "--detach")

    # What was seen

    def settle(self) -> Seen:
        """Wait until all that was said has arrived, or long enough.

        A person answers what keeps guidance from a child, and goes on with what has no worker left.
        """
        deadline = time.monotonic() + QUIET_SECONDS
        resumes = time.monotonic() + QUIET_SECONDS / 6
        while time.monotonic() < deadline:
            if not self.standin.updates and not violations(seen := self.seen()):
                return seen
            for message, press, letters in self.waiting():
                if is_held_back(self.dirs[self.tags[press.session]]):
                    self.answer(message, press, letters, self.chance)
            if time.monotonic() > resumes:
                resumes = deadline
                for name, path in self.counted.items():
                    if not is_held(control_of(path) / LOCK):
                        self.samoloop("resume", name, "--detach")
            time.sleep(0.5)
        return self.seen()

    def seen(self) -> Seen:
        asked: dict[tuple[str, str], tuple[str, ...]] = {}
        closed: list[Closed] = []
        taken: dict[str, list[str]] = {}
        prompts: dict[str, str] = {}
        for name, path in self.counted.items():
            session = Session(path)
            for record in session.journal.read():
                if isinstance(record, GateOpened):
                    asked[name, record.gate.id] = tuple(record.gate.questions)
                elif isinstance(record, GateClosed):
                    answers = {id: given["answer"] for id, given in record.answers.items()}
                    closed.append(Closed(name, record.gate, answers))
                elif isinstance(record, Guided):
                    for inbox in record.inbox:
                        with suppress(FileNotFoundError):
                            words = re.findall(r"^guidance \d+$", (session.logs / inbox).read_text(), re.MULTILINE)
                            taken.setdefault(name, []).extend(words)
            # what is long is told in a file of its own
            told = (*session.logs.glob("*.prompt.md"), *session.logs.glob("*.notes.md"))
            prompts[name] = "\n".join(path.read_text() for path in sorted(told))
        excuses = (*self.harms.killed_relay, *self.standin.lost, *self.moved, *self.two)
        return Seen(tuple(self.said), asked, tuple(closed), taken, prompts, tuple(self.standin.copies), excuses,
                    tuple(self.done))  # fmt: skip

    def end(self) -> None:
        for path in self.dirs.values():
            pid = self.harms.worker(path)
            if pid and is_held(control_of(path) / LOCK):
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
        self.harms.kill_relay()
