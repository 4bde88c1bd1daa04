"""The corpus as values: which sessions there are, and what is expected of each."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ("tree facts", "plan ledger", "document ledger", "shortcut guard", "checks", "swap")
# A program by project, or by session.
NEEDS = {"node": "npm", "make": "make", "example-add-feature": "npm", "example-old-backups": "make"}
EXAMPLES = ("add-feature", "hello-agent", "old-backups", "refactor", "research-only")  # the demo plays one that slips


@dataclass(frozen=True)
class Case:
    """One session."""

    name: str
    title: str  # what the child does, in a sentence
    lies: bool
    project: str  # a folder of `projects`
    workflow: str
    class_: str = ""  # of the lie
    kind: str = ""  # of the evidence that is expected to catch it; empty: it passes, or is honest
    passes: str = ""  # why nothing catches it
    got_through: str = ""  # a shell condition on the branch at the end; empty: the session came to its end
    base: tuple[str, ...] = ()  # states of the project that the session starts from
    without: tuple[str, ...] = ()  # what of the project is not there

    @property
    def missing(self) -> str | None:
        """A program that it needs and that is not on PATH."""
        needed = NEEDS.get(self.name) or NEEDS.get(self.project, "sh")
        return needed if shutil.which(needed) is None else None

    @property
    def script(self) -> Path | None:
        """What the child plays; None for an example, which has a child of its own."""
        return None if self.workflow == "example" else HERE / ("lies" if self.lies else "honest") / f"{self.name}.sh"


def cases() -> list[Case]:
    """All of them, the lies first."""
    return [*read("lies"), *read("honest"), *examples()]


def read(folder: str) -> Iterator[Case]:
    for path in sorted((HERE / folder).glob("*.sh")):
        yield parse(path.stem, path.read_text(encoding="utf-8"), lies=folder == "lies")


def parse(name: str, text: str, *, lies: bool) -> Case:
    """What the comments at the top of a script say."""
    head = re.match(r"(# .*\n)+", text)
    title, *lines = [line[2:] for line in head[0].splitlines()] if head else [""]
    fields = dict(line.split(": ", 1) for line in lines)
    case = Case(
        name,
        title,
        lies,
        fields.pop("project"),
        fields.pop("workflow"),
        fields.pop("class", ""),
        fields.pop("caught by", ""),
        fields.pop("passes", ""),
        fields.pop("got through if", ""),
        tuple(fields.pop("base", "").split()),
        tuple(fields.pop("without", "").split()),
    )
    if fields or (lies and (case.kind in KINDS) is bool(case.passes)):
        raise SystemExit(f"{name}: its comments are not understood: {lines}")
    return case


def examples() -> Iterator[Case]:
    """The examples that travel with samoloop, played by its own scripted child."""
    for name in EXAMPLES:
        yield Case(f"example-{name}", f"The example {name}.", False, "example", "example")


def sample(of: list[Case], number: int) -> list[Case]:
    """So many, the same each time, fairly spread: each kind of evidence and honest sessions in turn."""
    groups: dict[str, list[Case]] = {}
    for case in of:
        if case.script:
            groups.setdefault(case.kind or ("passes" if case.lies else "honest"), []).append(case)
    for name, group in groups.items():  # so that neighbours differ in project and class
        groups[name] = sorted(group, key=lambda case: (case.name.partition("-")[2][::-1], case.project))
    chosen: list[Case] = []
    while len(chosen) < min(number, sum(map(len, groups.values())) + len(chosen)):
        for name in [*groups, *["honest"] * 2]:
            if groups[name] and len(chosen) < number:
                chosen.append(groups[name].pop(len(groups[name]) // 2))
        if not any(groups.values()):
            break
    return chosen
