"""The scripted child and the demo: a real process, real gates, real commits, and answers that matter."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from kit import Terminal, git, make_repo, samoloop

from samoloop import providers
from samoloop.api.go_on import go_on
from samoloop.core import signals
from samoloop.core.events import Result, Started, Text, Tool, Usage
from samoloop.core.gates import questions
from samoloop.core.records import Ended
from samoloop.core.rules import Kind
from samoloop.core.session import Session
from samoloop.core.signals import GateKind, Signal
from samoloop.core.state import Condition
from samoloop.demo import examples, notes, play
from samoloop.demo.answers import understood
from samoloop.demo.child import main
from samoloop.demo.commands import CommandRun, run
from samoloop.demo.scenario import Option, Question, load
from samoloop.demo.visit import CannotGoOn
from samoloop.providers.base import Request
from samoloop.ui.terminal.screen import open_view

# --- one visit ---


class Stage:
    """A session folder and a worktree, as a worker would hand them to a child."""

    def __init__(self, folder: Path, example: str) -> None:
        self.root = examples.copy(examples.get(example), folder / "project")
        self.session = folder / "session"
        self.session.mkdir()
        (self.session / "_task.md").write_text(examples.get(example).task)
        (self.session / "_overview.md").write_text(
            "# T\n\n## Status\nPhase: x\nIteration: 1\nBlocked: no\nLast Action: none\nNext: x\n\n"
            "## Flow Log\n\n## Files\n"
        )
        self.example = example

    def play(self, phase: str, allowed: str, scenario: str | None = None, pace: str = "0") -> list[dict]:
        """One visit; its events. `allowed` is what the prompt says of the next phases."""
        environ = os.environ | {
            "SAMOLOOP_SESSION_DIR": str(self.session),
            "SAMOLOOP_SIGNAL": str(self.session / "_signal.json"),
            "SAMOLOOP_WORKTREE": str(self.root),
            "SAMOLOOP_PHASE": phase,
            "SAMOLOOP_ITERATION": "7",
            "SAMOLOOP_DEMO_PACE": pace,
        }
        done = subprocess.run(
            [sys.executable, "-m", "samoloop.demo.child", scenario or self.example],
            input=f"`11-21-0930-<kind>-<slug>.md`\n\n## Facts\n\n- Allowed next phases: {allowed}\n".encode(),
            env=environ,
            cwd=self.root,
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    @property
    def signal(self) -> Signal:
        found = signals.read(self.session / "_signal.json")
        assert isinstance(found, Signal), found
        return found

    def text(self, pattern: str) -> str:
        (found,) = self.session.glob(pattern)
        return found.read_text()


def test_the_child_speaks_in_events_that_its_provider_reads(tmp_path):
    reader = providers.get("demo").reader(request(tmp_path))
    lines = Stage(tmp_path, "hello-agent").play("exec", "exec")
    events = [event for line in lines for event in reader.feed(json.dumps(line).encode())]
    assert isinstance(events[0], Started) and isinstance(events[-1], Result) and events[-1].ok
    running = [event.id for event in events if isinstance(event, Tool) and event.running]
    finished = [event.id for event in events if isinstance(event, Tool) and not event.running]
    assert running == finished and running
    (usage,) = (event for event in events if isinstance(event, Usage))
    assert usage.cost_usd == 0 and usage.model == "script" and (usage.input_tokens or 0) > 0
    assert any(isinstance(event, Text) for event in events)
    assert reader.finish(0, "") == []


def test_a_dive_quotes_lines_that_are_there(tmp_path):
    stage = Stage(tmp_path, "bulk-discount")
    stage.play("investigation", "investigation, requirements")
    dive = stage.text("11-21-0930-dive-*.md")
    places = re.findall(r"^- `([\w/.]+):(\d+)`: `(.*)`$", dive, re.MULTILINE)
    assert len(places) > 5
    for path, line, quoted in places:
        assert (stage.root / path).read_text().splitlines()[int(line) - 1].strip().replace("`", "'") == quoted
    assert stage.signal.phase == "requirements"


def test_it_asks_two_questions_that_wait_and_then_reads_the_answers(tmp_path):
    stage = Stage(tmp_path, "bulk-discount")
    stage.play("requirements", "requirements, (others only after qa_answers)")
    asked = questions.parse(stage.text("_qa.md"))
    assert [question.id for question in asked] == ["Q1", "Q2"]
    assert all(question.options and question.suggested_answer == "A" and not question.answer for question in asked)
    assert stage.signal.wait_for is GateKind.QA_ANSWERS

    answered = questions.with_answers(stage.text("_qa.md"), {"Q1": "5 pieces, please", "Q2": "C"})
    (stage.session / "_qa.md").write_text(answered)
    stage.play("requirements", "requirements, planning")
    text = stage.text("*-requirements-*.md")
    assert "From 5 pieces of the same item on, one of them is free" in text
    assert stage.signal.phase == "planning"


def test_it_waits_on_while_an_answer_is_missing(tmp_path):
    stage = Stage(tmp_path, "bulk-discount")
    stage.play("requirements", "requirements")
    (stage.session / "_qa.md").write_text(questions.with_answers(stage.text("_qa.md"), {"Q1": "A"}))
    stage.play("requirements", "requirements")
    assert stage.signal.wait_for is GateKind.QA_ANSWERS
    assert not list(stage.session.glob("*-requirements-*.md"))


def test_the_overview_is_kept_up_to_date(tmp_path):
    stage = Stage(tmp_path, "bulk-discount")
    stage.play("investigation", "investigation, requirements")
    text = stage.text("_overview.md")
    assert re.search(r"^Last Action: dive written, \d+ lines quoted$", text, re.MULTILINE)
    assert "Next: requirements\n" in text
    assert re.search(r"## Flow Log\n- 007 investigation: dive written.*\n\n## Files\n- 11-21-0930-dive-.*\.md\n$", text)


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("no-such-thing", "there is no scenario 'no-such-thing'"),
        ("../../etc", "there is no scenario"),
        ("missing.py", "there is no scenario 'missing.py'"),
    ],
)
def test_an_unknown_scenario_blocks_with_a_sentence(tmp_path, scenario, words):
    stage = Stage(tmp_path, "hello-agent")
    stage.play("exec", "exec", scenario)
    assert stage.signal.status == "blocked" and words in (stage.signal.reason or "")


def test_a_file_without_a_scenario_is_refused(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("SCENARIO = 1\n")
    with pytest.raises(CannotGoOn, match=r"mine\.py defines no SCENARIO"):
        load(str(path))


def test_code_that_is_not_as_the_script_expects_blocks_and_says_which(tmp_path):
    stage = Stage(tmp_path, "bulk-discount")
    stage.play("requirements", "requirements")
    stage.play("planning", "planning")
    plan = stage.signal.file or ""
    text = (stage.session / plan).read_text().replace("- [ ] 1.1", "- [x] 1.1")
    (stage.session / plan).write_text(text)
    (stage.root / "till" / "basket.py").write_text("# nothing is left\n")
    stage.play("implementation", "implementation, testing")
    assert stage.signal.status == "blocked"
    assert "till/basket.py is not as the script expects it" in (stage.signal.reason or "")


@pytest.mark.parametrize("committed", [False, True])
def test_what_an_interrupted_child_left_is_finished_and_not_done_twice(tmp_path, committed):
    stage = Stage(tmp_path, "bulk-discount")
    stage.play("requirements", "requirements")
    stage.play("planning", "planning")
    plan = stage.session / (stage.signal.file or "")
    before = plan.read_text()
    stage.play("implementation", "implementation, testing")
    head = git(stage.root, "rev-parse", "HEAD")
    plan.write_text(before)  # the tick was not written any more
    if not committed:
        git(stage.root, "reset", "--quiet", "--soft", "HEAD~1")
    stage.play("implementation", "implementation, testing")
    assert stage.signal.phase == "implementation", stage.signal
    assert "- [x] 1.1" in plan.read_text() and "- [ ] 1.2" in plan.read_text()
    assert git(stage.root, "log", "--format=%s") == "The rule of the discount is code of its own\nStart"
    assert git(stage.root, "rev-parse", "HEAD") == head or not committed
    assert re.search(r"- Result: [0-9a-f]{7}; ", plan.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["implementation", "testing"])
def test_what_it_said_without_looking_is_mended_by_the_child_that_is_sent_back_or_by_testing(tmp_path, phase):
    stage = Stage(tmp_path, "bulk-discount")
    stage.play("requirements", "requirements")
    stage.play("planning", "planning")
    plan = stage.session / (stage.signal.file or "")
    for _ in range(3):
        said = stage.play("implementation", "implementation, testing")
    assert [event["text"] for event in said if event["type"] == "text"][-1].endswith("; the tests are green.")
    assert "the tests are green" in plan.read_text() and stage.signal.phase == "testing"
    assert not [event for event in said if "unittest" in event.get("detail", "")], "it ran no test"
    suite = ("python", "-m", "unittest")
    assert run(suite, stage.root, os.environ).verdict == "11 tests, FAILED (failures=1)"
    said = stage.play(phase, "implementation, testing, quality")
    assert [event for event in said if "unittest" in event.get("detail", "")]
    assert run(suite, stage.root, os.environ).ok
    assert "Mend what the tests show" in git(stage.root, "log", "--format=%s")


def test_a_fault_is_shown_by_a_test_before_it_is_mended(tmp_path):
    stage = Stage(tmp_path, "old-backups")
    stage.play("reproduction", "reproduction, planning")
    assert stage.signal.phase == "planning"
    text = stage.text("*-testing-reproduced-*.md")
    assert "`make test` → 9 tests, 1 failed" in text and "not ok 6 - the tenth is newer" in text
    assert git(stage.root, "diff", "--name-only", "HEAD~1") == "tests/test_rotate.sh"


def test_a_test_that_shows_no_fault_blocks(tmp_path):
    stage = Stage(tmp_path, "old-backups")
    script = stage.root / "rotate.sh"
    script.write_text(script.read_text().replace("LC_ALL=C sort |", "LC_ALL=C sort -t - -k 1,1 -k 2,2n |"))
    stage.play("reproduction", "reproduction, planning")
    assert stage.signal.status == "blocked" and "`make test`: exit 0" in (stage.signal.reason or "")


def test_each_step_pauses_only_where_a_pace_is_asked_for(tmp_path):
    stage = Stage(tmp_path, "hello-agent")
    stage.play("requirements", "requirements")
    began = time.monotonic()
    steps = [
        line for line in stage.play("requirements", "requirements", pace="0.1") if line["type"] in ("text", "tool")
    ]
    pauses = [line for line in steps if line.get("running", line["type"] == "text")]
    assert time.monotonic() - began >= 0.1 * len(pauses) > 0


def test_it_needs_exactly_one_scenario():
    assert main([]) == main(["a", "full", "b"]) == 2


# --- answers and notes ---

SIZES = Question(
    key="size",
    title="Which size?",
    why="It matters.",
    options=(Option("small", 1), Option("large", 2)),
    reason="cheap",
    read=lambda words: Option("as you said", int(words.strip())) if words.strip().isdigit() else None,
)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("A", 1),
        ("b", 2),
        ("B)", 2),
        ("B - because we grow", 2),
        ("A 40", 40),
        ("40", 40),
        ("C", 1),
        ("as you like", 1),
        ("", 1),
    ],
)
def test_words_outweigh_a_letter_and_what_says_nothing_leaves_the_suggestion(answer, value):
    (decision,) = understood([SIZES], [questions.Question("Q1", "Which size?", answer=answer)])
    assert decision.value == value


def test_an_answer_that_a_script_cannot_read_is_said_to_be_so():
    (decision,) = understood([SIZES], [questions.Question("Q1", "Which size?", answer="as you like")])
    assert decision.sentence.startswith("Q1: as you like → small (a script reads letters and numbers only")


def test_the_facts_of_a_prompt_are_read():
    prompt = "# x\n`11-21-0930-<kind>-<slug>.md`\n- Allowed next phases: testing, quality, done\n"
    assert notes.Facts.parse(prompt, "testing") == notes.Facts(["quality", "done"], None, "11-21-0930")
    gated = notes.Facts.parse("- Allowed next phases: planning, (others only after plan_approval)\n", "planning")
    assert (gated.next_phases, gated.gate) == ([], "plan_approval")


def test_a_box_is_ticked_with_its_result_below():
    plan = "# P\n- [ ] 1.1 one\n  - Files: a\n- [ ] 1.2 two\n  - Files: b\n## Risks\n"
    text = notes.ticked(plan, "1.1", "abc; green")
    assert text == "# P\n- [x] 1.1 one\n  - Files: a\n  - Result: abc; green\n- [ ] 1.2 two\n  - Files: b\n## Risks\n"
    assert [(box.number, box.ticked) for box in notes.boxes(text)] == [("1.1", True), ("1.2", False)]


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        ("....\nRan 12 tests in 0.1s\n\nOK\n", "12 tests, OK"),
        ("F\nRan 1 test in 0.1s\n\nFAILED (failures=1)\n", "1 tests, FAILED (failures=1)"),
        ("# tests 15\n# pass 15\n# fail 0\n# duration_ms 5\n", "15 tests, OK"),
        ("ℹ tests 15\nℹ pass 13\nℹ fail 2\n", "15 tests, 2 failed"),
        ("ok 1 - a\nok 2 - b\n1..2\n", "2 tests, OK"),
        ("ok 1 - a\nnot ok 2 - b\n# wanted: 1\n1..2\nmake: *** [test] Error 1\n", "2 tests, 1 failed"),
        ("anything else\n", "anything else"),
        ("", "no output"),
    ],
)
def test_what_tests_say_is_told_in_a_few_words(output, verdict):
    assert CommandRun("x", 0, output).verdict == verdict


# --- the provider ---


def request(folder: Path) -> Request:
    return Request(folder / "p.md", folder, folder, folder / "001-x", "title")


def test_the_child_is_started_by_this_interpreter_apart_from_the_worktree(tmp_path):
    launch = providers.get("demo", {"scenario": "hello-agent"}, {"SAMOLOOP_DEMO_PACE": "0.5"}).launch(request(tmp_path))
    assert launch.argv == [sys.executable, "-P", "-m", "samoloop.demo.child", "hello-agent", "full"]
    assert launch.env == {"SAMOLOOP_DEMO_PACE": "0.5"} and launch.prompt_on_stdin
    assert providers.get("demo", {}, {}).launch(request(tmp_path)).argv[-2] == "anywhere"


def test_a_child_without_a_result_has_failed(tmp_path):
    reader = providers.get("demo").reader(request(tmp_path))
    (failure,) = reader.finish(1, "Traceback\nKeyError: 'SAMOLOOP_PHASE'\n")
    assert "KeyError" in failure.message


# --- whole sessions ---


@dataclass
class Played:
    """The demo after it was played with --yes, for someone whose own settings name another CLI."""

    root: Path
    home: Path
    said: str
    cpu_seconds: float


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("demo")
    settings = home / ".config" / "samoloop" / "config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("provider: codex\nworkflow: exec\nsessions: /nowhere\n")
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": "", "SAMOLOOP_PROVIDER": "gemini", "SAMOLOOP_DEMO_PACE": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = samoloop(folder, "demo", "--yes", "--keep", str(folder / "till"), env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Played(folder / "till", home, done.stdout, spent)


def test_the_demo_takes_a_real_project_through_every_phase_and_asks_nobody(played, monkeypatch):
    monkeypatch.setenv("HOME", str(played.home))
    (session,) = (played.root / "_sessions").glob("*/_history.jsonl")
    session = session.parent
    ended = [record for record in Session(session).journal.read() if isinstance(record, Ended)]
    assert [event.phase for event in ended] == [
        *("investigation", "requirements", "requirements", "planning", "implementation", "implementation"),
        *("implementation", "implementation", "testing", "testing", "quality", "done"),
    ]
    refused = [event for event in ended if event.decision.vetoed]
    assert [(event.iteration, event.said.endswith("; the tests are green.")) for event in refused] == [(7, True)]
    assert "1 failed, 10 passed" in refused[0].decision.reason
    assert {event.provider for event in ended} == {"demo"}
    assert played.cpu_seconds < 10


def test_the_demo_ends_by_showing_what_there_is(played):
    (session,) = (played.root / "_sessions").glob("*/_history.jsonl")
    session = session.parent
    checked = "is what samoloop checked: unittest: 12 passed"
    for words in (
        "samoloop/bulk-discount",
        "12 tests, OK, just now",
        checked,
        str(session),
        "samoloop run",
        "git diff main...",
    ):
        assert words in played.said
    assert "\x1b" not in played.said


def test_the_demo_leaves_the_main_checkout_alone(played):
    assert git(played.root, "branch", "--show-current") == "main"
    assert git(played.root, "status", "--porcelain") == ""
    assert len(git(played.root, "log", "--oneline", "main..samoloop/bulk-discount").splitlines()) == 5


def test_the_testing_phase_finds_the_fault_that_the_implementation_made(played):
    assert "if pieces <= BULK_FROM" in git(played.root, "show", "samoloop/bulk-discount~1:till/discounts.py")
    assert "if pieces < BULK_FROM" in git(played.root, "show", "samoloop/bulk-discount:till/discounts.py")
    (text,) = (path.read_text() for path in played.root.glob("_sessions/*/*-testing-*.md"))
    assert "FAILED (failures=1)" in text and re.search(r"mended in [0-9a-f]{7}", text)


def demo(folder: Path, pace: str = "0") -> Terminal:
    environ = {"SAMOLOOP_DEMO_PACE": pace, "PAGER": "cat"}
    return Terminal(folder, "demo", "--keep", str(folder / "till"), env=environ)


@pytest.mark.slow
def test_a_person_answers_sends_the_plan_back_and_sees_the_answers_in_the_code(tmp_path):
    terminal = demo(tmp_path)
    terminal.answer("Your answer", "5 pieces")
    terminal.answer("Your answer", "Z")
    terminal.answer("Your answer", "C")
    terminal.answer("Your decision", "changes")
    terminal.answer("What should change", "Tell it on the door")
    terminal.answer("Your decision", "")  # silence is no consent
    terminal.answer("Your decision", "approve")
    assert terminal.end() == 0, terminal.screen[-3000:]
    assert "Q2 has the options A, B, C, got 'Z'" in terminal.screen
    show = ("show", "samoloop/bulk-discount:till/discounts.py")
    code = git(tmp_path / "till", *show)
    assert "BULK_FROM = 5" in code and "return price" in code
    assert "Tell it on the door" in git(tmp_path / "till", "show", "samoloop/bulk-discount:WISHES.md")
    assert re.search(r"you save +0\.40", terminal.screen)
    assert re.search(r"does the discount start\? \S*5 pieces\S* \(by you \(demo\)\)", terminal.screen)


@pytest.mark.slow
def test_what_was_said_in_the_files_meanwhile_counts(tmp_path):
    terminal = demo(tmp_path)
    terminal.wait_for("Your answer")
    (qa,) = (tmp_path / "till").glob("_sessions/*/_qa.md")
    qa.write_text(qa.read_text().replace("_waiting_", "12 pieces", 1))
    terminal.type("B")
    terminal.answer("Your answer", "C")
    terminal.wait_for("Your decision")
    approval = qa.with_name("_approval.md")
    approval.write_text(approval.read_text().replace("_waiting_", "approve", 1))
    terminal.type("reject")
    assert terminal.end() == 0, terminal.screen[-3000:]
    assert "Q1 has its answer already: '12 pieces'" in terminal.screen
    assert "the plan was decided already: approve" in terminal.screen
    assert "BULK_FROM = 12" in git(tmp_path / "till", "show", "samoloop/bulk-discount:till/discounts.py")


@pytest.mark.slow
def test_a_plan_that_is_rejected_stops_the_demo(tmp_path):
    terminal = demo(tmp_path)
    terminal.answer("Your answer", "")
    terminal.answer("Your answer", "")
    terminal.answer("Your decision", "r")
    assert terminal.end() == 6
    assert "The session is stopped" in terminal.screen


@pytest.mark.slow
def test_a_person_who_leaves_finds_the_session_waiting(tmp_path):
    terminal = demo(tmp_path)
    terminal.wait_for("Your answer")
    terminal.press("C")
    assert terminal.end() == 130
    assert "The session waits; nothing is lost" in terminal.screen
    done = samoloop(tmp_path / "till", "resume", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BULK_FROM = 3" in git(tmp_path / "till", "show", "samoloop/bulk-discount:till/discounts.py")


def test_ctrl_c_at_work_ends_with_130_and_the_way_to_go_on(tmp_path):
    terminal = demo(tmp_path, pace="0.05")
    terminal.wait_for_text("001 investigation")
    terminal.interrupt()
    assert terminal.end() == 130
    assert "The session waits; nothing is lost" in terminal.screen
    assert "samoloop resume" in terminal.screen


@pytest.mark.slow
def test_a_finished_demo_takes_one_more_thing(tmp_path):
    assert samoloop(tmp_path, "demo", "--yes", "--keep", str(tmp_path / "till")).returncode == 0
    done = samoloop(tmp_path / "till", "resume", "bulk-discount", "-m", "Tell it on the door", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "goes on in implementation" in done.stdout


@pytest.mark.slow
def test_a_demo_is_no_project_that_up_takes_care_of(tmp_path):
    assert samoloop(tmp_path, "demo", "--yes", "--keep", str(tmp_path / "till")).returncode == 0
    assert samoloop(tmp_path, "projects", "list").stdout.startswith("None yet")


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    done = samoloop(tmp_path, "demo", "--yes", "--keep", str(tmp_path))
    assert done.returncode == 2
    assert "is there already and not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


WORKFLOWS = sorted(path.stem for path in (Path(__file__).parent.parent / "phase_prompts" / "workflows").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_the_scripted_child_gets_through_every_workflow_in_any_repository(tmp_path, workflow):
    root = make_repo(tmp_path / "repo")
    (root / ".samoloop.yaml").write_text(f"workflow: {workflow}\n")
    environ = play.alone(root, os.environ)
    session = play.begin(root, "Show the phases", "show", "demo", environ)
    decision = go_on(session, play.how(yes=True), environ=environ, open_view=open_view)
    assert decision.kind is Kind.DONE, decision
    assert Session(session.dir).state().condition is Condition.DONE
    backlog = ["?? .samoloop/"] if workflow == "breakdown" else []  # the tasks of its list
    assert git(root, "status", "--porcelain").splitlines() == ["?? .samoloop.yaml", *backlog]


@pytest.mark.slow
def test_in_a_folder_that_is_no_repository_the_session_itself_is_not_searched(tmp_path):
    (tmp_path / "a.txt").write_text("one token\n")
    done = samoloop(tmp_path, "run", "Look at token", "--provider", "demo", "--in-place", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    (dive,) = tmp_path.glob("_sessions/*/*-dive-*.md")
    assert "- `a.txt:1`: `one token`\n## Where" in dive.read_text()
    assert "_sessions" not in dive.read_text()
    assert (tmp_path / "SAMOLOOP-DEMO.md").is_file() and not (tmp_path / ".git").exists()
