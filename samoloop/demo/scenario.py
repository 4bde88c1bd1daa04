"""What the scripted child plays, as data: what it looks for, asks, changes, breaks and mends.

A scenario is a Python file with a `SCENARIO`. It has no part in how a phase goes; `acts` knows that for all of them.
"""

import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from samoloop.base.values import frozen
from samoloop.config.resources import folder
from samoloop.demo.visit import CannotGoOn, Hit, Visit

FILE_NAME = "scenario.py"
ANYWHERE = "anywhere"  # the scenario that fits every repository
Answers = Mapping[str, Any]  # what the human's answers mean, by the question's key


@frozen
class Write:
    """A whole file, new or written anew."""

    path: str
    text: str

    def carry_out(self, visit: Visit) -> None:
        visit.write(self.path, self.text)


@frozen
class Edit:
    """One place in a file that is there."""

    path: str
    old: str
    new: str

    def carry_out(self, visit: Visit) -> None:
        visit.edit(self.path, self.old, self.new)


@frozen
class Call:
    """What no other step can express."""

    path: str  # the file that it changes most, for the plan
    function: Callable[[Visit], None]

    def carry_out(self, visit: Visit) -> None:
        self.function(visit)


Step = Write | Edit | Call


@frozen
class Option:
    """One lettered answer, and what it means to the scenario."""

    words: str
    value: Any


@frozen
class Question:
    """Something that only the human can say."""

    key: str
    title: str
    why: str
    options: Sequence[Option]
    reason: str  # why the first option is the suggested one
    read: Callable[[str], Option | None] = lambda words: None  # what free words mean; None: not understood


@frozen
class Item:
    """One item of the plan: one iteration, one commit."""

    title: str  # what becomes true
    steps: Sequence[Step]
    why: str = ""  # the body of the commit message
    proof: str = ""  # what its tests prove

    @property
    def files(self) -> list[str]:
        return list(dict.fromkeys(step.path for step in self.steps))


@frozen
class Slip:
    """What the child gets wrong in the last item, while it says that the tests are green and has not run them."""

    spoil: Edit
    mend: Edit
    cause: str  # a sentence


@frozen
class Fault:
    """A mistake that the implementation makes and the testing phase finds."""

    edge: str  # what is tried
    test: Step  # the test that shows it
    mend: Step
    cause: str  # a sentence
    subject: str  # of the commit that mends it


SCOPE = Question(
    key="scope",
    title="Is the task, as it is written, the whole scope?",
    why="Whatever is not said now is not done later.",
    options=(Option("yes, that and no more", True), Option("no, as my words say", False)),
    reason="the task is clear",
)


@frozen
class Scenario:
    """One whole task."""

    slug: str  # in the names of documents
    look_for: Sequence[str] = ()  # extended regular expressions for the search; none: the words of the task
    explain: Callable[[Sequence[Hit]], str] = lambda hits: ""  # what follows from the lines found
    tests: Sequence[str] = ()  # the project's own test command; `python` is the interpreter that runs the child
    questions: Sequence[Question] = (SCOPE,)
    requirements: Callable[[Answers], Sequence[str]] = lambda answers: ()
    items: Callable[[Answers], Sequence[Item]] = lambda answers: ()
    pins: Sequence[Step] = ()  # tests before any change: of what stays (phase pinning), of the fault (reproduction)
    cause: str = ""  # of the fault that they show, a sentence
    slip: Slip | None = None
    fault: Fault | None = None
    remarks: Sequence[str] = ()  # notes of the review that block nothing
    out_of_scope: Sequence[str] = field(default=("Everything else stays as it is.",))


def load(name: str) -> Scenario:
    """The scenario of an example, or the one in a file. Raises CannotGoOn with a sentence."""
    path = Path(name) if name.endswith(".py") else _known(name)
    if path is None or not path.is_file():
        raise CannotGoOn(f"there is no scenario {name!r}: name an example (samoloop example list) or a Python file")
    spec = importlib.util.spec_from_file_location("samoloop_demo_scenario", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True  # an installed package may be read-only, and a checkout should stay clean
    sys.path.append(str(path.parent))  # a scenario may have modules of its own beside it
    spec.loader.exec_module(module)
    found = getattr(module, "SCENARIO", None)
    if not isinstance(found, Scenario):
        raise CannotGoOn(f"{path} defines no SCENARIO: it must be a samoloop.demo.scenario.Scenario")
    return found


def _known(name: str) -> Path | None:
    if name == ANYWHERE:
        return Path(__file__).with_name("anywhere.py")
    return folder("examples") / name / FILE_NAME if re.fullmatch(r"[\w-]+", name) else None
