"""A script that plays a capable model through a whole session, acting only on what the prompt says.

Each run of a CLI is one iteration: read `_overview.md`, do the one action of the phase that the prompt names, make the
overview true, write `_signal.json`, say so. All of it by shell commands that the CLI really runs, so a run succeeds
only when the CLI hands the prompt through, may read and write the session folder, and works in the worktree.
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
    signal: str
    phase: str
    iteration: int
    today: str  # the prefix of new documents' names

    def path(self, name: str) -> str:
        """A file in the session folder, quoted for the shell."""
        return shlex.quote(f"{self.session_dir}/{name}")

    def documents(self, kind: str) -> str:
        """All documents of this kind, as a pattern of the shell."""
        return f"{shlex.quote(self.session_dir)}/*-{kind}-*.md"

    def new_document(self, kind: str) -> str:
        """The name of a new document of this kind."""
        return f"{self.today}-{kind}-farewell.md"


def read_facts(prompt: str) -> Facts | None:
    """The facts in a prompt; None where one is missing."""
    patterns = (
        r"^- Session folder: `([^`\n]+)`",
        r"\bphase `([a-z_-]+)`",
        r"\biteration (\d+)",
        r"`(\d\d-\d\d-\d{4})-",
    )
    found = [re.search(pattern, prompt, re.IGNORECASE | re.MULTILINE) for pattern in patterns]
    words = [match.group(1) for match in found if match]
    if len(words) < len(patterns):
        return None
    folder, phase, iteration, today = words
    return Facts(folder, f"{folder}/_signal.json", phase, int(iteration), today)


def session(conversation: Conversation) -> Turn:
    """The next step of the iteration that the prompt describes."""
    facts = read_facts(conversation.prompt)
    if facts is None:
        return Say("This prompt names no session folder, signal and phase, so there is nothing to do.")
    if facts.phase not in STEPS:
        return Say(f"The phase {facts.phase!r} is not known to this script.")
    steps = (read_overview, *STEPS[facts.phase])
    done = conversation.results
    if len(done) < len(steps):
        return Shell(steps[len(done)](facts, done))
    return Say(f"The action of the phase {facts.phase} is done and the signal is written.")


Step = Callable[[Facts, Sequence[str]], str]  # facts and tool results so far, to a shell command


def write(path: str, text: str) -> str:
    """A command that puts `text` in a file."""
    return f"printf '%s\\n' {shlex.quote(text)} > {path}"


def document(facts: Facts, kind: str, text: str) -> str:
    """A command that writes a new document."""
    return write(facts.path(facts.new_document(kind)), text)


def leave(facts: Facts, did: str, **signal: str) -> str:
    """The last command of an iteration: the overview made true, then the signal, in one piece."""
    overview, new = facts.path("_overview.md"), facts.path("_overview.md.new")
    line = f"- {facts.iteration:03} {facts.phase}: {did}"
    after = signal["phase"]
    edits = f"-e 's/^Last Action:.*/Last Action: {did}/' -e 's/^Next:.*/Next: {after}/' -e '/^## Files/i\\\n{line}'"
    target, temporary = shlex.quote(facts.signal), shlex.quote(f"{facts.signal}.tmp")
    return (
        f"sed {edits} {overview} > {new} && mv {new} {overview} && "
        f"{write(temporary, json.dumps(signal))} && mv {temporary} {target}"
    )


def read_overview(facts: Facts, _done: Sequence[str]) -> str:
    return f"cat {facts.path('_overview.md')}"


def look_around(_facts: Facts, _done: Sequence[str]) -> str:
    return "ls && grep -n 'def ' greeting.py && cat test_greeting.py"


def write_dive(facts: Facts, done: Sequence[str]) -> str:
    return document(facts, "dive", f"# Dive: farewell\n\n## How it works now\n{done[1].strip()}")


def leave_dive(facts: Facts, _done: Sequence[str]) -> str:
    return leave(facts, "looked at the code", status="continue", phase="requirements")


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
    """Whether the questions file, read just after the overview, holds an answer."""
    return "**Answer:**" in done[1] and "_waiting_" not in done[1]


def ask_or_write_requirements(facts: Facts, done: Sequence[str]) -> str:
    if not answered(done):
        return write(facts.path("_qa.md"), QUESTIONS)
    text = "# Requirements: farewell\n\n## Requirements\n- R1: farewell says goodbye - checked by: test_greeting.py"
    return document(facts, "requirements", text)


def leave_requirements(facts: Facts, done: Sequence[str]) -> str:
    if not answered(done):
        return leave(facts, "asked", status="waiting", phase="requirements", **{"for": "qa_answers"})
    return leave(facts, "wrote the requirements", status="continue", phase="planning")


def write_plan(facts: Facts, _done: Sequence[str]) -> str:
    text = "# Plan: farewell\n\n## Phase 1: the function\n- [ ] 1.1 greeting.farewell says goodbye"
    return document(facts, "plan", text)


def leave_plan(facts: Facts, _done: Sequence[str]) -> str:
    plan = facts.new_document("plan")
    return leave(facts, "planned", status="waiting", phase="planning", file=plan, **{"for": "plan_approval"})


CODE = '''

def farewell(name: str) -> str:
    return f"Goodbye, {name}!"'''

TEST = """

class FarewellTest(unittest.TestCase):
    def test_names_the_person(self) -> None:
        self.assertEqual(greeting.farewell("Ada"), "Goodbye, Ada!")"""


def read_plan(facts: Facts, _done: Sequence[str]) -> str:
    return f"cat {facts.documents('plan')} && git status --short"


def edit_code(_facts: Facts, _done: Sequence[str]) -> str:
    """Add what is not there yet: a child before may have left half of it."""
    return f"{add(CODE, 'greeting.py')}; {add(TEST, 'test_greeting.py')}; {SUITE}"


def add(text: str, file: str) -> str:
    return f"grep -qi farewell {file} || printf '%s\\n' {shlex.quote(text)} >> {file}"


SUITE = "python3 -B -m unittest 2>&1"


def commit_and_tick(facts: Facts, _done: Sequence[str]) -> str:
    plan, new = facts.documents("plan"), facts.path("plan.new")
    return (
        f'for plan in {plan}; do sed \'s/\\[ \\]/[x]/\' "$plan" > {new} && mv {new} "$plan"; done; '
        "git add -A && git commit -q -m 'Say goodbye too' || echo the worker commits it"
    )


def leave_implementation(facts: Facts, _done: Sequence[str]) -> str:
    return leave(facts, "added farewell", status="continue", phase="testing")


def run_suite(_facts: Facts, _done: Sequence[str]) -> str:
    return SUITE


def write_testing(facts: Facts, done: Sequence[str]) -> str:
    return document(facts, "testing", f"# Testing: farewell\n\n## Suite\n{done[1].strip()}")


def leave_testing(facts: Facts, done: Sequence[str]) -> str:
    good = "Ran 2 tests" in done[1] and "OK" in done[1]
    return leave(facts, "ran the suite", status="continue", phase="quality" if good else "testing")


def read_change(_facts: Facts, _done: Sequence[str]) -> str:
    return "git log --oneline && cat greeting.py"


def write_review(facts: Facts, done: Sequence[str]) -> str:
    verdict = "may be handed over" if "def farewell" in done[1] else "not without a decision"
    return document(facts, "review", f"# Review: farewell\n\n## Verdict\n{verdict}")


def leave_quality(facts: Facts, done: Sequence[str]) -> str:
    if "def farewell" not in done[1]:
        words = {"reason": "the change is not there", "needs": "human_decision"}
        return leave(facts, "reviewed", status="blocked", phase="quality", **words)
    return leave(facts, "reviewed", status="continue", phase="done")


def write_summary(facts: Facts, _done: Sequence[str]) -> str:
    return document(facts, "summary", "# Summary: farewell\n\n## In short\nfarewell is there and tested.")


def leave_done(facts: Facts, _done: Sequence[str]) -> str:
    return leave(facts, "summary written", status="done", phase="done", summary="farewell is there and tested")


STEPS: dict[str, tuple[Step, ...]] = {
    "investigation": (look_around, write_dive, leave_dive),
    "requirements": (read_answers, ask_or_write_requirements, leave_requirements),
    "planning": (write_plan, leave_plan),
    "implementation": (read_plan, edit_code, commit_and_tick, leave_implementation),
    "testing": (run_suite, write_testing, leave_testing),
    "quality": (read_change, write_review, leave_quality),
    "done": (write_summary, leave_done),
}
