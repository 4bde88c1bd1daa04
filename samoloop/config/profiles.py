"""Profiles: a posture that is added to a prompt, one Markdown file each."""

from pathlib import Path

from samoloop.base.errors import ConfigError
from samoloop.base.nearest import named
from samoloop.base.values import frozen
from samoloop.config.workflow_files import search_path, split_front_matter
from samoloop.config.yaml_text import read_file


@frozen
class Profile:
    name: str
    text: str


def names(project: Path | None) -> list[str]:
    """The profiles that can be named, sorted."""
    return sorted({path.stem for place in search_path(project) for path in (place / "profiles").glob("*.md")})


def load(name: str, project: Path | None) -> Profile:
    """The profile of that name, the project's own before the shipped one. Raises ConfigError."""
    there = names(project)
    if name in there:
        for place in search_path(project):
            path = place / "profiles" / f"{name}.md"
            if path.is_file():
                return Profile(name, split_front_matter(_text(path))[1])
    raise ConfigError(f"there is no profile {named(name, there)}; there are: {', '.join(there) or 'none'}")


def _text(path: Path) -> str:
    try:
        return read_file(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def section(name: str | None, project: Path | None) -> str:
    """What a prompt says of the posture; empty where no profile is named. Raises ConfigError."""
    return f"## Posture\n\n{load(name, project).text.strip()}" if name else ""
