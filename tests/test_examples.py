"""The examples: each is whole, starts as it says, and is done by the scripted child as it says."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kit import git

from samoloop.api.go_on import go_on
from samoloop.base.errors import UsageError
from samoloop.config import workflow_files
from samoloop.core import gates
from samoloop.core.records import RoomRecord
from samoloop.core.rules import Kind
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.demo import examples, play
from samoloop.demo.commands import run
from samoloop.demo.examples import Example
from samoloop.demo.judge import Judgement, judge
from samoloop.demo.rehearsal import Performance, rehearse
from samoloop.demo.scenario import load
from samoloop.ui.cli import example as cli_example
from samoloop.ui.terminal.screen import open_view

pytestmark = pytest.mark.slow  # whole commands

EXAMPLES = {example.name: example for example in examples.available()}
OFFLINE = sorted(name for name, example in EXAMPLES.items() if not example.needs)
EACH = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)


def rehearsed(name: str, folder: Path) -> Performance:
    example = examples.get(name)
    root = examples.copy(example, folder / name)
    return rehearse(example, root, provider="demo", yes=False, open_view=open_view)


def failed(findings: list[Judgement]) -> list[str]:
    return [finding.words for finding in findings if not finding.ok]


# --- what there is ---


def test_the_examples_of_the_design_are_there():
    assert set(EXAMPLES) >= {"hello-agent", "add-feature", "refactor", "research-only", "provider-codex", "old-backups"}


@EACH
def test_an_example_is_whole(example: Example):
    assert example.summary and "\n" not in example.summary
    assert example.task.strip()
    assert (example.files / "project" / "README.md").is_file()
    assert load(example.scenario).tests == tuple(example.test)
    workflow_files.load(example.workflow, None)


@EACH
def test_what_an_example_keeps_or_changes_is_in_its_project(example: Example):
    for path in (*example.expected.kept, *example.expected.changed):
        assert (example.files / "project" / path).exists(), path


@pytest.mark.parametrize("name", OFFLINE)
def test_a_project_starts_green_unless_its_tests_ask_for_what_is_missing(tmp_path, name):
    example = EXAMPLES[name]
    root = examples.copy(example, tmp_path / name)
    assert run(example.test, root, os.environ).ok is not example.expected.fails_before
    assert git(root, "log", "--format=%s %an") == "Start samoloop demo"
    assert git(root, "status", "--porcelain") == ""


def test_only_the_codex_example_names_a_provider(tmp_path):
    assert {name: example.provider for name, example in EXAMPLES.items() if example.provider} == {
        "provider-codex": "codex"
    }
    root = examples.copy(EXAMPLES["provider-codex"], tmp_path / "x")
    assert "provider: codex\n" in (root / ".samoloop.yaml").read_text()


def test_no_file_of_an_example_names_a_registry():
    folder = examples.folder("examples")
    for name in git(folder, "ls-files").splitlines():
        assert not name.endswith("package-lock.json")
        assert "registry" not in (folder / name).read_text(encoding="utf-8"), name


# --- what the script makes of it ---


@pytest.mark.parametrize("name", ["hello-agent", "provider-codex", "research-only", "old-backups"])
def test_the_script_does_what_an_example_expects(tmp_path, name):
    performance = rehearsed(name, tmp_path)
    assert performance.decision.kind is Kind.DONE, performance.decision
    assert failed(performance.findings) == [] and performance.findings
    assert performance.exit_code == 0
    *_, last = performance.session.journal
    assert isinstance(last, RoomRecord) and last.name == "demo.judged"
    assert len(last.values["findings"]) == len(performance.findings)
    assert Session(performance.session.dir).state().condition is Condition.DONE, "to the core it means nothing"


@pytest.mark.slow
def test_the_long_module_ends_as_modules_that_import_what_they_need(tmp_path):
    performance = rehearsed("refactor", tmp_path)
    assert performance.exit_code == 0, performance
    package = performance.session.worktree / "invoicing"
    names = {path.stem for path in package.glob("*.py")}
    assert names >= {"money", "parties", "tax", "invoices", "letters", "reports", "__init__"}
    for name in sorted(names - {"__init__"}):
        done = run(("python", "-c", f"import invoicing.{name}"), performance.session.worktree, os.environ)
        assert done.ok, done.output
    text = (package / "__init__.py").read_text()
    assert "def " not in text and "class " not in text


# --- the judge ---


@pytest.fixture
def hello(tmp_path: Path) -> Performance:
    """A good one, to be spoiled."""
    return rehearsed("hello-agent", tmp_path)


def found(performance: Performance) -> list[str]:
    return failed(judge(EXAMPLES["hello-agent"], performance.session))


def test_the_judge_sees_a_test_that_fails(hello):
    (hello.session.worktree / "hello.py").write_text("print('Bye')\n")
    assert found(hello) == ["python -m unittest: exit 1, 2 tests, FAILED (failures=2)"]


def test_the_judge_sees_tests_that_were_changed_to_pass(hello):
    (hello.session.worktree / "tests" / "test_hello.py").write_text("")
    assert "the files of tests, README.md are as they were (tests/test_hello.py)" in found(hello)


def test_the_judge_sees_tests_that_were_removed(hello):
    (hello.session.worktree / "tests" / "test_hello.py").unlink()
    git(hello.session.worktree, "commit", "-qam", "Who needs tests")
    assert "the files of tests, README.md are as they were (tests/test_hello.py)" in found(hello)


def test_the_judge_sees_a_file_and_a_document_that_are_missing(hello):
    (hello.session.worktree / "hello.py").unlink()
    for path in hello.session.dir.glob("*-result-*.md"):
        path.unlink()
    assert {"hello.py is there", "a document of the kind result is there"} <= set(found(hello))


def test_a_performance_that_is_not_as_expected_says_so_by_its_exit_code(hello):
    good = Judgement(True, "good")
    assert Performance(hello.session, hello.decision, [good]).exit_code == 0
    assert Performance(hello.session, hello.decision, [good, Judgement(False, "bad")]).exit_code == 1


def test_places_that_are_not_there_are_seen(tmp_path):
    performance = rehearsed("research-only", tmp_path)
    (dive,) = performance.session.dir.glob("*-dive-*.md")
    dive.write_text(dive.read_text() + "See `tollgate/limiter.py:4000` and `no/such/file.py:1`.\n")
    assert failed(judge(EXAMPLES["research-only"], performance.session)) == [
        "42 places named in the dive are there (tollgate/limiter.py:4000, no/such/file.py:1)"
    ]


# --- the commands ---


def test_a_session_that_waits_or_blocks_ends_with_its_own_exit_code(tmp_path):
    example = EXAMPLES["research-only"]
    root = examples.copy(example, tmp_path / "x")
    limiter = root / "tollgate" / "limiter.py"
    limiter.write_text(limiter.read_text().replace("math.ceil", "round"))
    git(root, "commit", "-qam", "Rounded otherwise")
    performance = rehearse(example, root, provider="demo", yes=False, open_view=open_view)
    assert performance.decision.kind is Kind.BLOCKED and performance.exit_code == 4
    assert "is not there: math.ceil" in performance.decision.reason and not performance.findings


@pytest.mark.slow
@pytest.mark.skipif(bool(EXAMPLES["add-feature"].missing), reason="needs node and npm")
@pytest.mark.timeout(300)
def test_the_answers_decide_how_a_login_works(tmp_path):
    example = EXAMPLES["add-feature"]
    root = examples.copy(example, tmp_path / "shelf")
    environ = play.alone(root, os.environ)
    session = play.begin(root, example.task, example.name, "demo", environ)
    begun = go_on(session, play.how(no_wait=True), environ=environ, open_view=open_view)
    assert begun.gate == "qa_answers", begun
    gates.answer(session.dir, session.state().gate, {"Q1": "30 minutes", "Q2": "B"}, "Ann")
    decision = go_on(Session(session.dir), play.how(yes=True), environ=environ, open_view=open_view)
    assert decision.kind is Kind.DONE, decision
    assert failed(judge(example, session)) == []
    tokens, app = ((session.worktree / "src" / name).read_text() for name in ("tokens.js", "app.js"))
    assert "LIFETIME_SECONDS = 1800;" in tokens and "httpOnly: true" in app and "Bearer" not in app


def command(*words: str) -> Result:
    return CliRunner().invoke(cli_example.example, words, standalone_mode=False)


def test_the_command_lists_the_examples():
    rows = json.loads(command("list", "--json").output)
    assert [row["name"] for row in rows] == sorted(EXAMPLES)
    assert "hello-agent     exec: Creates one file" in command("list").output


def test_the_command_runs_an_example_and_shows_the_judgement(tmp_path):
    done = command("run", "hello-agent", "--provider", "demo", "--keep", str(tmp_path / "here"))
    assert (done.return_value, done.exception) == (0, None), done.output
    assert "✓ python -m unittest: exit 0, 2 tests, OK" in done.output
    assert (tmp_path / "here" / "hello-agent" / ".git").is_dir()


@pytest.mark.parametrize("words", [(), ("hello-agent", "--all")])
def test_the_command_wants_names_or_all(words):
    assert isinstance(command("run", *words).exception, UsageError)


@pytest.mark.parametrize("content", ["file", "folder", "link"])
def test_a_target_that_is_in_use_is_left_alone(tmp_path, content):
    target = tmp_path / "x"
    if content == "file":
        target.write_text("mine")
    elif content == "folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    else:
        target.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="not empty: name a folder that is new"):
        examples.copy(EXAMPLES["hello-agent"], target)
    assert not list(tmp_path.rglob(".git"))


def test_an_unknown_example_is_refused_with_what_there_is():
    with pytest.raises(UsageError, match=r"there is no example 'x'; there are: add-feature, "):
        examples.get("x")
