"""What the documents promise is there: commands, options, settings, workflows, signals, files, messages."""

import ast
import importlib.util
import re
import shlex
import xml.dom.minidom
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from samoloop import providers
from samoloop.base.errors import SamoloopError
from samoloop.config import loading, profiles, skills, workflow_files
from samoloop.config import telegram_bot as telegram
from samoloop.config.keys import BUILT_IN
from samoloop.core import overview
from samoloop.core.control import BASE_LOCK, CHILD_LOCK, LOCK, LOGS
from samoloop.core.decision import EXIT_CODES
from samoloop.core.gates import FILES, INBOX, WAKE
from samoloop.core.journal import FILE_NAME as JOURNAL
from samoloop.core.session import REPORT
from samoloop.core.signals import FILE_NAME as SIGNAL
from samoloop.core.signals import GateKind, Signal, Status, parse
from samoloop.ui.cli import cli
from samoloop.ui.telegram.commands import COMMANDS
from samoloop.worker.outbox import FOLDER as OUTBOX

ROOT = Path(__file__).resolve().parent.parent
USER_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [
    *USER_PAGES,
    *(ROOT / f"{n}.md" for n in ("VISION", "CHANGELOG", "AGENTS", "CLAUDE", "CONTRIBUTING", "ARCHITECTURE")),
]
PAGES = [*(page for page in PAGES if page.is_file()), ROOT / "skills" / "samoloop-run" / "SKILL.md"]
SETTINGS, PERSONAL = ".samoloop.yaml", "~/.config/samoloop/config.yaml"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a language, each with the file that the line before it names (else empty)."""
    pattern = rf"(?:^`([^`\n]+)`:\n\n)?^([ ]*)```{language}\n(.*?)^\2```$"
    for match in re.finditer(pattern, text(page), re.MULTILINE | re.DOTALL):
        yield match[1] or "", re.sub(f"^{match[2]}", "", match[3], flags=re.MULTILINE)


def inline(page: Path) -> list[str]:
    """What stands between single backquotes, fenced blocks aside."""
    prose = re.sub(r"^[ ]*```.*?^[ ]*```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def rows(page: str, head: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    lines = text(page).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {head}"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def coded(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- commands ---------------------------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[str, str, bool]]:
    """Page, command line, and whether it is to be pasted as it is (else it is mentioned in a sentence)."""
    for page in PAGES:
        for _, block in blocks(page, "sh"):
            yield from ((name(page), line.strip(), True) for line in block.splitlines() if is_command(line))
        yield from ((name(page), code, False) for code in inline(page) if is_command(code))
    for path, command in every_command(cli):
        for line in (command.help or "").splitlines():
            if is_command(line):
                yield (f"samoloop {' '.join(path)} --help", re.sub(r" {3,}.*", "", line.strip()), True)


def is_command(line: str) -> bool:
    return line.strip().startswith("samoloop ")


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        if not command.hidden:
            yield (*path, word), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, word))


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    return command, words


def known_options(command: click.Command) -> set[str]:
    context = click.Context(command)
    return {option for param in command.get_params(context) for option in (*param.opts, *param.secondary_opts)}


def test_the_design_names_every_command() -> None:
    design = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## Commands")[2].partition("\n## ")[0]
    named = set(re.findall(r"[a-z]+", "\n".join(line for line in design.splitlines() if line.startswith("    "))))
    assert {path[0] for path, _ in every_command(cli)} - named == set()


LINES = sorted(set(command_lines()))


@pytest.mark.parametrize(("where", "line", "whole"), LINES, ids=[f"{where}: {line}" for where, line, _ in LINES])
def test_each_command_line_names_a_command_and_options_that_exist(where: str, line: str, whole: bool) -> None:
    words = shlex.split(line.split(" && ")[0], comments=True)[1:]
    for several in [words] if "|" not in words else split_at_bars(words):
        command, arguments = find_command(several)
        own = arguments[: arguments.index("--")] if "--" in arguments else arguments
        unknown = {word.split("=")[0] for word in own if re.match("-[-a-z]", word)} - known_options(command)
        assert not unknown
        if whole and not isinstance(command, click.Group):
            command.make_context("samoloop", list(arguments)).close()


def split_at_bars(words: list[str]) -> list[list[str]]:
    """`skills list|install` in a sentence."""
    return [words[: words.index("|")]]


def test_each_command_is_in_the_documents() -> None:
    everything = "\n".join(text(page) for page in USER_PAGES)
    missing = [" ".join(path) for path, _ in every_command(cli) if f"samoloop {' '.join(path)}" not in everything]
    assert not missing


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", text("Makefile"), re.MULTILINE))
    for page in PAGES:
        code = [line for _, block in blocks(page, "sh") for line in block.splitlines()] + inline(page)
        named = {line.split()[1] for line in code if re.match(r"make \w", line)}
        assert named <= targets, name(page)


def test_the_exit_codes_are_those_of_the_code() -> None:
    codes = {0, SamoloopError.exit_code, 130, *EXIT_CODES.values()}
    assert {int(row[0]) for row in rows("README.md", "code | means")} == codes
    said = re.search(r"Exit codes of `run` and `resume`: (.*)", text("skills/samoloop-run/SKILL.md"))
    assert said is not None
    assert {int(code) for code in re.findall(r"\b\d+\b", said[1])} == codes


# --- settings, workflows, skills --------------------------------------------------------------------------------------

YAML = [(name(page), file, block) for page in PAGES for file, block in blocks(page, "yaml")]


@pytest.mark.parametrize(("page", "file", "block"), YAML, ids=[f"{page}: {file}" for page, file, _ in YAML])
def test_each_yaml_block_is_a_file_that_can_be_used(page: str, file: str, block: str, tmp_path: Path) -> None:
    assert file in (SETTINGS, PERSONAL) or file.startswith(".samoloop/workflows/"), "say which file the block is"
    if file not in (SETTINGS, PERSONAL):
        return  # loaded with the phases that it names, below
    path = tmp_path / SETTINGS if file == SETTINGS else tmp_path / "home" / file.removeprefix("~/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block, encoding="utf-8")
    environ = {"HOME": str(tmp_path / "home")}
    found = loading.load(tmp_path, environ)
    for provider in found.providers:
        providers.get(provider, found.provider_settings(provider), environ)
    if found.telegram:
        assert telegram.parse(found.telegram, environ)[1] == []


def write_project(page: str, target: Path) -> None:
    """The files of `.samoloop/` that a page shows."""
    for language in ("yaml", "markdown"):
        for file, block in blocks(ROOT / page, language):
            if file.startswith(".samoloop/"):
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                (target / file).write_text(block, encoding="utf-8")


def test_the_workflow_of_the_page_can_be_used(tmp_path: Path) -> None:
    write_project("docs/workflows.md", tmp_path)
    shown = [path.stem for path in (tmp_path / ".samoloop" / "workflows").iterdir()]
    assert shown == ["article"]
    workflow = workflow_files.load("article", tmp_path)
    assert workflow.phase("outline").gate is GateKind.PLAN_APPROVAL
    assert "writing" in workflow.names


def test_the_skill_of_the_page_can_be_used(tmp_path: Path) -> None:
    write_project("docs/skills.md", tmp_path)
    assert "release-notes" in [skill.name for skill in skills.available(tmp_path)]


def test_the_tables_of_workflows_and_skills_are_complete() -> None:
    shown = {coded(row[0])[0]: row[3] for row in rows("docs/workflows.md", "workflow | for")}
    assert set(shown) == set(workflow_files.names(None))
    for workflow, gates in shown.items():
        gated = [phase.name for phase in workflow_files.load(workflow, None).phases if phase.gate]
        assert len(gated) == (0 if gates == "none" else len(gates.split(", "))), workflow
    named = [skill for row in rows("docs/skills.md", "skill | what") for skill in coded(row[0])]
    assert sorted(named) == [skill.name for skill in skills.available(None)]


def test_the_keys_of_phases_and_workflows_are_those_that_are_read() -> None:
    assert {coded(row[0])[0] for row in rows("docs/workflows.md", "key | default")} == set(workflow_files._PHASE.names)
    assert {coded(row[0])[0] for row in rows("docs/workflows.md", "key | meaning")} == set(
        workflow_files._WORKFLOW.names
    )
    words = re.search(r"in a phase is replaced: (.*?)\. A word", text("docs/workflows.md"), re.DOTALL)
    assert words is not None
    assert set(coded(words[1])) == workflow_files.PLACEHOLDERS


def test_the_profiles_are_named() -> None:
    words = re.search(
        r"A profile adds a posture to every prompt: (.*?), or a Markdown file", text("docs/workflows.md"), re.S
    )
    assert words is not None
    assert sorted(coded(words[1])) == profiles.names(None)


def test_the_providers_are_named_with_their_logins() -> None:
    names = {coded(row[0])[0] for row in rows("README.md", "provider | of your own") if coded(row[0])}
    assert names == set(BUILT_IN)
    logins = {coded(row[0])[0]: coded(row[2]) for row in rows("docs/providers.md", "provider | install")}
    assert set(logins) == set(BUILT_IN)
    for provider, shown in logins.items():
        command = providers.get(provider).login_command
        assert shown[:1] == ([command] if command else []), provider


def test_the_telegram_commands_are_named() -> None:
    named = {word for row in rows("docs/gates.md", "command | what") for word in coded(row[0])}
    assert named == {f"/{command}" for command in COMMANDS}


def configuration() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_configuration", ROOT / "docs" / "make_configuration.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_settings_is_what_the_code_says() -> None:
    module = configuration()
    assert text("docs/configuration.md") == module.page(), "run docs/make_configuration.py"


VARIABLES = {
    "SAMOLOOP_PROVIDER": "codex",
    "SAMOLOOP_SANDBOX": "off",
    **{"CLAUDE_PATH": "/bin/x", "CLAUDE_MODEL": "m", "CLAUDE_TIMEOUT": "7m"},
    **{"CODEX_PATH": "/bin/x", "CODEX_MODEL": "m", "CODEX_TIMEOUT": "7m"},
    "TELEGRAM_BOT_TOKEN": "123456789:" + "A" * 30,
    "TELEGRAM_CHAT_ID": "42",
    "SAMOLOOP_FLEET_DATABASE": "postgresql://samoloop:secret@db/fleet",
}


def test_each_variable_of_the_page_is_read(tmp_path: Path) -> None:
    assert {word for row in rows("docs/configuration.md", "variable") for word in coded(row[0])} == set(VARIABLES)
    environ = {"HOME": str(tmp_path)}
    plain = loading.load(tmp_path, environ)
    for variable, value in VARIABLES.items():
        if variable.startswith("TELEGRAM_"):
            assert telegram.parse({}, VARIABLES)[0] != telegram.parse({}, {**VARIABLES, variable: ""})[0]
        else:
            assert loading.load(tmp_path, {**environ, variable: value}) != plain, variable


# --- files and signals ------------------------------------------------------------------------------------------------


def test_the_signals_shown_are_accepted_and_complete() -> None:
    shown = [parse(line.encode()) for _, block in blocks(ROOT / "README.md", "json") for line in block.splitlines()]
    assert all(isinstance(signal, Signal) for signal in shown), shown
    signals = [signal for signal in shown if isinstance(signal, Signal)]
    assert {signal.status for signal in signals} == set(Status)
    assert {signal.wait_for for signal in signals} - {None} == set(GateKind)
    assert {coded(row[0])[0] for row in rows("README.md", "`status`")} == set(Status)
    assert {coded(row[0])[0] for row in rows("docs/gates.md", "gate | opened")} == set(GateKind)


def test_each_file_of_a_session_is_in_the_table() -> None:
    files = {overview.FILE_NAME, overview.TASK_FILE, SIGNAL, *FILES, INBOX, WAKE, JOURNAL, REPORT}
    folders = {f"{LOGS}/", f"{OUTBOX}/"}
    shown = {file for row in rows("README.md", "file | who") for file in coded(row[0])}
    assert files | folders | {LOCK, CHILD_LOCK, BASE_LOCK} <= shown


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(page)) + re.findall(r'src="([^"]+)"', text(page)):
        file, _, anchor = target.partition("#")
        assert "://" not in file
        there = (page.parent / file) if file else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    folders = ("docs", "samoloop", "tests", "phase_prompts", "skills", "examples", "benchmarks", ".ci")
    for code in inline(page):
        if re.fullmatch(rf"({'|'.join(map(re.escape, folders))})/[\w./-]*", code):
            assert (ROOT / code).exists(), code


def test_the_map_names_every_module_and_no_other() -> None:
    start = text("ARCHITECTURE.md").index("## The map")
    named = re.findall(
        r"`(\w+\.py)`", text("ARCHITECTURE.md")[start : text("ARCHITECTURE.md").index("\n## ", start + 1)]
    )
    modules = [path.name for path in (ROOT / "samoloop").rglob("*.py") if not path.name.startswith("__")]
    assert sorted(named) == sorted(modules)


def test_the_pictures_are_well_formed() -> None:
    pictures = sorted((ROOT / "docs").glob("*.svg"))
    assert [picture.name for picture in pictures] == ["demo.svg", "house.svg", "telegram.svg"]
    for picture in pictures:
        xml.dom.minidom.parse(str(picture))


# --- messages ---------------------------------------------------------------------------------------------------------


def sentences() -> list[str]:
    """Every text of the code, what is filled in replaced by `…`."""
    found = []
    for path in (ROOT / "samoloop").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def explained() -> list[str]:
    """The messages that the page speaks of."""
    page = text("docs/troubleshooting.md")
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    return [message for line in headings for message in coded(line)] + [
        coded(row[0])[0] for row in rows("docs/troubleshooting.md", "message | what")
    ]


def test_each_message_of_the_page_is_one_of_the_code() -> None:
    known = sentences()
    gone = [message for message in explained() if not any(said(message, sentence) for sentence in known)]
    assert not gone


def said(message: str, sentence: str) -> bool:
    """Whether the pieces between the `…` of a message are in a text, in their order."""
    place = 0
    for piece in map(str.strip, message.split("…")):
        found = sentence.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return True


def test_what_the_sandbox_holds_names_tests_that_there_are() -> None:
    named = {name for row in rows("README.md", "in the sandbox") for name in coded(row[1])}
    assert len(named) > 5
    places = (ROOT / "tests" / "box", ROOT)
    assert not [name for name in named if not any((place / name).is_file() for place in places)]


def test_what_holds_against_a_child_names_tests_that_there_are() -> None:
    named = {name for row in rows("README.md", "whatever a child does") for name in coded(row[2])}
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / "tests" / "stranger" / name).is_file()]
