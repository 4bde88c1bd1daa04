"""A script that plays a capable model through a whole session, acting only on what the prompt says.

Each run of a CLI is one iteration: read `_overview.md`, do the one action of the phase that the prompt names, write
`_signal.json`, say so. All of it by shell commands that the CLI really runs, so a run succeeds only when the CLI hands
the prompt through, may read and write the session folder, and works in the worktree.
"""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .turns import Conversation, Say, Shell, Turn


@dataclass(frozen=True)
class Facts:
    """What the prompt says about this iteration."""

    session_dir: str
    phase: str
    today: str  # the prefix of new documents' names

    def path(self, name: str) -> str:
        """A file in the session folder, quoted for the shell."""
        return shlex.quote(f"{self.session_dir}/{name}")

    def document(self, kind: str) -> str:
        """The name of a new document of this kind."""
        return f"{self.today}-{kind}-farewell.md"


def read_facts(prompt: str) -> Facts | None:
    """The facts in a prompt; None where they are not there."""
    folder = re.search(r"(/[^\n`\"']*?)/_overview\.md", prompt)
    phase = re.findall(r"^\W*phase\W+([a-z][a-z_-]*)", prompt, re.IGNORECASE | re.MULTILINE)
    today = re.search(r"\b(\d\d-\d\d-\d{4})\b", prompt)
    if not folder or not phase:
        return None
    return Facts(folder.group(1), phase[-1], today.group(1) if today else "01-01-0000")


def session(conversation: Conversation) -> Turn:
    """The next step of the iteration that the prompt describes."""
    facts = read_facts(conversation.prompt)
    if facts is None:
        return Say("This prompt names no session folder and no phase, so there is nothing to do.")
    steps = STEPS.get(facts.phase)
    if steps is None:
        return Say(f"The phase {facts.phase!r} is not known to this script.")
    done = conversation.results
    commands: Sequence[Step] = (read_overview, *steps)
    if len(done) < len(commands):
        return Shell(commands[len(done)](facts, done))
    return Say(f"The action of the phase {facts.phase} is done and the signal is written.")


Step = Callable[[Facts, Sequence[str]], str]  # facts and tool results so far, to a shell command


def write(facts: Facts, name: str, text: str) -> str:
    """A command that puts `text` in a file of the session folder."""
    return f"printf '%s\\n' {shlex.quote(text)} > {facts.path(name)}"


def signal(facts: Facts, **fields: str) -> str:
    """A command that writes the signal in one piece: a reader sees all of it or nothing."""
    temporary = facts.path("_signal.json.new")
    return f"{write(facts, '_signal.json.new', json.dumps(fields))} && mv {temporary} {facts.path('_signal.json')}"


def read_overview(facts: Facts, _done: Sequence[str]) -> str:
    return f"cat {facts.path('_overview.md')}"


def next_phase(phase: str) -> Step:
    def step(facts: Facts, _done: Sequence[str]) -> str:
        return signal(facts, status="continue", phase=phase)

    return step


def look_around(_facts: Facts, _done: Sequence[str]) -> str:
    return "ls && grep -n 'def ' greeting.py && cat test_greeting.py"


def write_dive(facts: Facts, done: Sequence[str]) -> str:
    found = done[1].strip() or "nothing"
    return write(facts, facts.document("dive"), f"# Dive: farewell\n\nWhat is there:\n\n{found}")


def read_answers(facts: Facts, _done: Sequence[str]) -> str:
    return f"cat {facts.path('_qa.md')} || echo no questions yet"


QUESTIONS = """# Questions

### Q1: Should the farewell end with a full stop or with an exclamation mark?
The greeting ends with an exclamation mark.
A) An exclamation mark
B) A full stop
**Suggestion:** A - the same as the greeting
**Answer:** _waiting_"""


def answered(done: Sequence[str]) -> bool:
    """Whether the questions file that was read just after the overview holds an answer."""
    return "**Answer:**" in done[1] and "_waiting_" not in done[1]


def ask_or_write_requirements(facts: Facts, done: Sequence[str]) -> str:
    if not answered(done):
        return write(facts, "_qa.md", QUESTIONS)
    text = "# Requirements\n\n- `farewell(name)` returns `Goodbye, <name>!`\n- it is tested"
    return write(facts, facts.document("requirements"), text)


def signal_requirements(facts: Facts, done: Sequence[str]) -> str:
    if answered(done):
        return signal(facts, status="continue", phase="planning")
    return signal(facts, status="waiting", phase="requirements", **{"for": "qa_answers"})


def write_plan(facts: Facts, _done: Sequence[str]) -> str:
    text = "# Plan\n\n- [ ] add `farewell` to greeting.py\n- [ ] test it in test_greeting.py"
    return write(facts, facts.document("plan"), text)


def signal_plan(facts: Facts, _done: Sequence[str]) -> str:
    return signal(facts, status="waiting", phase="planning", file=facts.document("plan"), **{"for": "plan_approval"})


CODE = '''

def farewell(name: str) -> str:
    return f"Goodbye, {name}!"'''

TEST = """

class FarewellTest(unittest.TestCase):
    def test_names_the_person(self) -> None:
        self.assertEqual(greeting.farewell("Ada"), "Goodbye, Ada!")"""


def edit_code(_facts: Facts, _done: Sequence[str]) -> str:
    return (
        f"grep -q farewell greeting.py || printf '%s\\n' {shlex.quote(CODE)} >> greeting.py; "
        f"grep -q Farewell test_greeting.py || printf '%s\\n' {shlex.quote(TEST)} >> test_greeting.py"
    )


def run_tests(_facts: Facts, _done: Sequence[str]) -> str:
    return "python3 -B -m unittest 2>&1"


def write_test_report(facts: Facts, done: Sequence[str]) -> str:
    return write(facts, facts.document("testing"), f"# Testing\n\n`python3 -m unittest` said:\n\n{done[1].strip()}")


def signal_testing(facts: Facts, done: Sequence[str]) -> str:
    return signal(facts, status="continue", phase="quality" if "OK" in done[1] else "testing")


def read_change(_facts: Facts, _done: Sequence[str]) -> str:
    return "git log --oneline && cat greeting.py"


def write_review(facts: Facts, done: Sequence[str]) -> str:
    verdict = "The change is there." if "farewell" in done[1] else "The change is missing."
    return write(facts, facts.document("review"), f"# Review\n\n{verdict}")


def write_summary(facts: Facts, _done: Sequence[str]) -> str:
    return write(facts, facts.document("summary"), "# Summary\n\n`farewell` was added to greeting.py and tested.")


def signal_done(facts: Facts, _done: Sequence[str]) -> str:
    return signal(facts, status="done", phase="done", summary="farewell was added and tested")


STEPS: dict[str, tuple[Step, ...]] = {
    "investigation": (look_around, write_dive, next_phase("requirements")),
    "requirements": (read_answers, ask_or_write_requirements, signal_requirements),
    "planning": (write_plan, signal_plan),
    "implementation": (edit_code, next_phase("testing")),
    "testing": (run_tests, write_test_report, signal_testing),
    "quality": (read_change, write_review, next_phase("done")),
    "done": (write_summary, signal_done),
}
