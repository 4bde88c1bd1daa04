"""Skills by the open Agent Skills standard: a folder with a SKILL.md, whose front matter says when to use it.

The shipped ones are in `skills/`; a project's own are in `.samoloop/skills/` and come before a shipped one of the same
name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from samoloop.base.errors import ConfigError, UsageError, listed, shown
from samoloop.base.files import is_plainly, read_plain, remove, write_atomic
from samoloop.base.nearest import named
from samoloop.base.values import frozen
from samoloop.config.resources import folder
from samoloop.config.schema import Fault, Key, Table, read_keys, text
from samoloop.config.workflow_files import split_front_matter
from samoloop.config.yaml_text import read_mapping

FILE_NAME = "SKILL.md"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NAME_LENGTH, DESCRIPTION_LENGTH = 64, 1024  # characters, by the standard
DESCRIPTIONS_LENGTH = 6000  # of all shipped ones together: what some CLIs preload at most
_FILE_BYTES = 1_000_000


@frozen
class Skill:
    """One skill, read whole."""

    name: str
    description: str
    body: str  # of SKILL.md, without its front matter
    folder: Path
    files: Mapping[str, bytes]  # by path relative to the folder, with `/`
    needs_person: bool = False  # it makes no sense where nobody can be asked


def places(project: Path | None) -> list[Path]:
    """Folders that hold skills, the project's own first."""
    own = [project / ".samoloop" / "skills"] if project else []
    return [*(place for place in own if place.is_dir()), folder("skills")]


def available(project: Path | None) -> list[Skill]:
    """Every skill that can be named, by name. Raises ConfigError with a sentence for each that cannot be used."""
    found, problems = look(project)
    _refuse(problems)
    return found


def refuse_broken(project: Path) -> None:
    """Raise ConfigError with a sentence for each of the project's own that cannot be used; a shipped one always can."""
    _, problems = _look_in(places(project)[:-1])
    _refuse(problems)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigError(problems[0] if len(problems) == 1 else listed("these skills cannot be used:", problems))


def look(project: Path | None) -> tuple[list[Skill], list[str]]:
    """The usable skills by name, and what is wrong with the others, a sentence each."""
    return _look_in(places(project))


def _look_in(folders: Sequence[Path]) -> tuple[list[Skill], list[str]]:
    skills: dict[str, Skill] = {}
    problems: list[str] = []
    for place in reversed(folders):
        for path in sorted(place.iterdir()):
            if not path.is_dir() or path.name.startswith("."):
                continue
            try:
                skills[path.name] = read(path)
            except ValueError as error:
                problems.append(f"{path / FILE_NAME}: {error}")
    return sorted(skills.values(), key=lambda skill: skill.name), problems


def offered(project: Path | None, logs: Path) -> Path:
    """The folder of skills that the children of a session see: the shipped one unless the project has its own."""
    return logs / "skills" if len(places(project)) > 1 else folder("skills")


def offer(project: Path | None, logs: Path) -> Path:
    """Make that folder as it is now, and return it. Broken skills are left out: they were refused at the start.

    Copies, not links: a restrained child may read the session's folder, but not what a link there leads to.
    """
    path = offered(project, logs)
    if path.parent == logs:
        found, _ = look(project)
        for skill in found:
            write(skill, path / skill.name)
        for gone in {entry.name for entry in path.iterdir()} - {skill.name for skill in found}:
            remove(path / gone)
    return path


def write(skill: Skill, path: Path) -> None:
    """Put the files of a skill into a folder. What is the same already is not written. Raises OSError."""
    for name, data in skill.files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not is_plainly(file, data):
            write_atomic(file, data)


def choose(skills: Sequence[Skill], names: Iterable[str]) -> list[Skill]:
    """The skills of these names; all where none is named. Raises UsageError that lists what there is."""
    known = {skill.name: skill for skill in skills}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no skill {named(name, known)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted] if wanted else list(skills)


def read(path: Path) -> Skill:
    """The skill in a folder. Raises ValueError with a sentence that says what breaks the standard."""
    files = {file.relative_to(path).as_posix(): _content(file) for file in _files(path)}
    if FILE_NAME not in files:
        raise ValueError(f"it is missing: a skill is a folder with a {FILE_NAME}")
    try:
        text = files[FILE_NAME].decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    front, body = split_front_matter(text)
    name, description, needs_person = _front_matter(front)
    if name != path.name:
        raise ValueError(f"its name is {name!r}, it must be the folder's, {path.name!r}")
    if not body.strip():
        raise ValueError("it has no instructions below the front matter")
    return Skill(name, description, body, path, files, needs_person)


def _files(path: Path) -> list[Path]:
    # a link is kept in the list, so that reading it says so
    return sorted(file for file in path.rglob("*") if file.is_symlink() or not file.is_dir())


def _content(file: Path) -> bytes:
    data = read_plain(file, _FILE_BYTES)
    if data is None or len(data) > _FILE_BYTES:
        raise ValueError(f"{file.name} is larger than {_FILE_BYTES // 1_000_000} MB")
    return data


def _front_matter(front: str) -> tuple[str, str, bool]:
    if not front:
        raise ValueError("it must start with front matter: name and description between two lines of ---")
    try:
        value = read_mapping(front)
    except ValueError as error:
        raise ValueError(f"its front matter cannot be used: {error}") from None
    faults: list[Fault] = []
    found = read_keys(_FRONT_MATTER, value, faults)
    if faults:
        raise ValueError("; ".join(map(str, faults)))
    more = found.get("metadata")
    return found["name"], found["description"], isinstance(more, Mapping) and more.get("needs") == "person"


def check_name(name: object) -> str:
    """A skill's name. Raises ValueError where it breaks the standard's rule."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise ValueError(
            f"{shown(name)} is no name of a skill: use lower-case letters, digits and single hyphens between them, "
            f"at most {NAME_LENGTH} characters"
        )
    return name


def _description(value: object) -> str:
    said = text(value)
    if len(said) > DESCRIPTION_LENGTH:
        raise ValueError(f"it has {len(said)} characters, at most {DESCRIPTION_LENGTH} are allowed")
    return said


def _any(value: object) -> object:
    return value


_FRONT_MATTER = Table(
    (
        Key("name", check_name, "the folder's name", needed=True),
        Key("description", _description, "a sentence or two that say when to use it", needed=True),
        *(Key(name, _any) for name in ("license", "compatibility", "metadata", "allowed-tools")),
    )
)
