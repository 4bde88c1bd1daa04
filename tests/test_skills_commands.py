"""The commands that a skill or a phase tells to run are there, with those options."""

import re
import shlex
from pathlib import Path

import click
import pytest
from kit import samoloop

from samoloop.config.resources import folder
from samoloop.ui.cli import cli

TEXTS = sorted([*folder("skills").rglob("*.md"), *folder("phase_prompts").glob("*.md")])
# `samoloop ...` in backticks, or at the start of a line in a fenced block.
COMMAND = re.compile(r"`(samoloop [^`\n]+)`|^\s*(samoloop [^\n]+)$", re.MULTILINE)


def commands(path: Path) -> list[str]:
    return [one or two for one, two in COMMAND.findall(path.read_text(encoding="utf-8"))]


TOLD = [pytest.param(line, id=f"{path.parent.name}/{path.stem}: {line}") for path in TEXTS for line in commands(path)]


def test_some_commands_are_told() -> None:
    assert len(TOLD) > 10


@pytest.mark.parametrize("line", TOLD)
def test_a_command_that_is_told_can_be_parsed_by_the_command_line(line: str) -> None:
    words = shlex.split(re.sub(r"<[^<>\n]*>", "WORD", line).replace("...", "WORD"))[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="samoloop")
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        context, command, words = click.Context(found, parent=context, info_name=words[0]), found, words[1:]
    command.make_parser(context).parse_args(list(words))


@pytest.mark.parametrize("name", ["session-start", "samoloop-run"])
def test_what_makes_no_sense_without_a_person_is_not_run_without_one(tmp_path: Path, name: str) -> None:
    done = samoloop(tmp_path, "skills", "run", name, "a topic")
    assert done.returncode == 2
    assert "it makes no sense without a person" in done.stderr
