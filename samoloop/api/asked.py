"""What a person or a program asks for, as values: to hand a task off, and how to go on with a session."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from samoloop.base.values import frozen
from samoloop.core.records import FromBacklog

FOCUSES = ("security", "performance", "quality", "accessibility")


@frozen
class Wishes:
    """Flags of `run` that say what the session is about."""

    workflow: str | None = None  # as the person named it; None leaves it to the other flags, then to the settings
    until: str | None = None  # the last phase
    source: str | None = None  # a session whose findings are to be mended
    focus: str | None = None  # of an audit
    plan: Path | None = None  # a plan that exists; the person approves it by handing it over
    folder: Path | None = None  # a session's folder that was made without samoloop
    branch: str | None = None  # one of theirs to work on, instead of a new one

    @property
    def given(self) -> str:
        """The first flag that only a new session can have; empty where none is given."""
        flags = {"--until": self.until, "--from": self.source, "--focus": self.focus, "--plan": self.plan}
        flags |= {"--branch": self.branch}
        return next((flag for flag, value in flags.items() if value), "")


@frozen
class Order:
    """All that a person says when handing a task off."""

    root: Path  # the project: its main checkout, or with `base` None the folder to work in
    task: str | None  # None where the wishes tell it
    wishes: Wishes = field(default_factory=Wishes)
    base: str | None = ""  # the revision to start from, or `fetch`; empty: by the settings; None: in place, without git
    name: str | None = None  # of the session; None makes one from the task
    said: Mapping[str, Any] = field(default_factory=dict)  # settings, remembered by the session
    by: str = ""  # who says it
    backlog: FromBacklog | None = None  # the task of the backlog that it is, where it is one
    called: str = ""  # what `base` is called, where its own name does not say it
    elsewhere: bool = False  # its children start on other machines, if not here too
    mark: str = ""  # of a session that is to be the fleet's: the text by which it is known as that from the first on


@frozen
class How:
    """How a worker is to go on."""

    by: str | None = None  # the person who resumes; None: nobody does, a worker simply goes on
    words: str = ""  # theirs for the next child; of a session that is done they are one more thing to do
    attended: bool = False  # a person is there to read what is refused; else it is recorded as a failure
    said: Mapping[str, Any] = field(default_factory=dict)  # settings; remembered where a person resumes
    shown: str = ""  # the hash of the project's settings that a person was shown, where they are not there any more
    now: bool = False  # try at once, whatever limit was met
    yes: bool = False  # take suggestions and approve plans; given each time, never remembered
    no_wait: bool = False  # come back instead of waiting for a human or a limit
    once: bool = False  # come back after one iteration: whoever wants it decides where the next one runs
    allow_sleep: bool = False
    greets: bool = True  # says first which session it is, and what a child may do
