"""CLIs that are known as data, one file each in `presets/`: how each is started, and what its lines mean.

A file says in `tried` the version that was run against a model's stand-in; where it is empty, the file was written from
the CLI's documents alone.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from pathlib import Path

from samoloop.base.values import frozen

FOLDER = Path(__file__).parent / "presets"


@frozen
class Line:
    """What a line of output means: an object of the form that `providers.custom` reads."""

    gives: Mapping[str, object]  # fields that are always so
    when: Mapping[str, object]  # values that the line has, by place: names from the outside in, with dots
    unless: Mapping[str, object] = field(default_factory=dict)  # values by which it is another one
    take: Mapping[str, str] = field(default_factory=dict)  # further fields, by their places in the line
    each: str = ""  # the place of a list whose objects are looked at one by one, as `item`


@frozen
class Home:
    """A folder of the CLI's own that a variable moves: the child gets another, with the login of the person's."""

    of: str
    variable: str
    login: Sequence[str]  # files in it


@frozen
class Preset:
    """One CLI. In arguments and variables `{model}`, `{session_dir}`, `{mcp_config}`, `{mcp_names}` and `{own}`, a
    folder of the session's for this CLI, are replaced.
    """

    title: str
    program: str
    install: str  # the command
    login: str  # the command that mends a login
    tried: str  # the version; empty: from its documents
    stays_out: str  # of the person's own set-up
    reaches: str  # of it, a child
    prompt: str  # stdin or arg
    arguments: Sequence[str]
    full: Sequence[str]  # arguments for permissions: full
    edits: Sequence[str] = ()  # and for edits; none: it has no such mode
    edits_means: str = ""
    model: Sequence[str] = ()  # where a model is set
    mcp: Sequence[str] = ()  # where MCP servers are let in; none: it takes none
    skills: Sequence[str] = ()  # where skills are offered
    skill_folder: str = ""  # below `{own}`
    last: Sequence[str] = ()  # after all others, before a prompt that is an argument
    env: Mapping[str, str] = field(default_factory=dict)
    home: Home | None = None
    folders: Mapping[str, str] = field(default_factory=dict)  # what it needs in a sandbox: read, write or cache
    troubles: Mapping[str, str] = field(default_factory=dict)  # of a value that a line gives as `trouble`
    begins: Mapping[str, str] = field(default_factory=dict)  # of the beginning of an error's own words
    lines: Sequence[Line] = ()  # none: its output is text


@cache
def names() -> tuple[str, ...]:
    """All presets, in the order of the alphabet."""
    return tuple(sorted(name.removesuffix(".toml") for name in os.listdir(FOLDER) if name.endswith(".toml")))  # noqa: PTH208


@cache
def load(name: str) -> Preset:
    """The preset of a name that is one of `names()`."""
    import tomllib

    said = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    home = Home(**said["home"]) if "home" in said else None
    return Preset(**{**said, "home": home, "lines": tuple(Line(**line) for line in said.get("lines", ()))})
