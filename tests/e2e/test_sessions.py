"""Whole sessions of the real CLIs through the real command, and what a person sees when a CLI cannot work."""

import json
import socket
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from clis import CLIS, Cli, claude_subscription
from project import TASK, Project, make_project, processes_with, said, wait_for
from standin import Conversation, Fault, Kind, Say, Shell, Standin, Turn, listed
from standin.dialects import OUTPUT_TOKENS
from standin.session import leave, read_facts, session

from samoloop import providers

pytestmark = pytest.mark.timeout(400)

PHASES = ["investigation", "requirements", "requirements", "planning", "implementation", "testing", "quality", "done"]


@pytest.fixture
def project(tmp_path: Path, environ: dict[str, str]) -> Project:
    """In a folder whose name needs quoting."""
    return make_project(tmp_path / "Ada's project", environ)


@pytest.fixture(params=CLIS.values(), ids=CLIS)
def cli(request: pytest.FixtureRequest) -> Cli:
    return request.param


def asks_for_a_human(conversation: Conversation) -> Turn:
    """A model that, once it is reached at all, blocks: the shortest session that shows that the CLI works again."""
    facts = read_facts(conversation.prompt)
    if facts is None or conversation.results:
        return Say("I asked for a human.")
    words = {"reason": "the endpoint answers again", "needs": "clarification"}
    return Shell(leave(facts, "asked", status="blocked", phase=facts.phase, **words))


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_session_goes_from_the_task_to_a_branch_and_a_report(cli: Cli, project: Project) -> None:
    with Standin(session) as model:
        project.use(cli, cli.setup(model.url))
        done = project.samoloop("run", TASK, "--session", "farewell", "--yes")
    assert done.returncode == 0, said(done)

    ended = project.ended()
    assert [record["phase"] for record in ended] == PHASES, said(done)
    assert not [record for record in ended if record.get("bad_signal") or "failure" in record["outcome"]]
    assert all(record["usage"]["output_tokens"] > 0 for record in ended)

    told = [asked.conversation for asked in model.asked]
    overviews = [conversation.results[0] for conversation in told if conversation.results]
    assert all("farewell() to greeting.py" in overview for overview in overviews)

    branch = "samoloop/farewell"
    assert "def farewell" in project.git("show", f"{branch}:greeting.py")
    assert project.git("log", "--format=%an", f"trunk..{branch}") == "Ada\n"  # by the child, or else by the worker
    assert project.git("status", "--porcelain") == ""
    assert "farewell" not in (project.root / "greeting.py").read_text()

    assert "**Answer:** A" in (project.session / "_qa.md").read_text()
    assert "Decision: approve" in (project.session / "_approval.md").read_text()
    assert "Ran 2 tests" in next(project.session.glob("*-testing-*.md")).read_text()
    assert "farewell is there and tested" in project.report

    status = json.loads(project.samoloop("status", "farewell", "--json").stdout)
    assert status["phase"] == "done"
    log = project.samoloop("log", "farewell")
    assert "_overview.md" in log.stdout, said(log)


# What no second try mends. The rest, in the outage below, the worker tries again by itself.
FINAL = {
    "wrong-key": (Fault(Kind.WRONG_KEY), "login", 4),
    "unknown-model": (Fault(Kind.UNKNOWN_MODEL), "model", 5),
}


@pytest.mark.parametrize(("fault", "trouble", "exit_code"), FINAL.values(), ids=FINAL)
def test_a_fault_that_a_person_must_mend_ends_the_run_with_a_sentence(
    cli: Cli, fault: Fault, trouble: str, exit_code: int, project: Project
) -> None:
    with Standin(session, fault) as model:
        project.use(cli, cli.setup(model.url))
        done = project.samoloop("run", TASK, "--yes")
    assert done.returncode == exit_code, said(done)
    (ended,) = project.ended()
    assert ended["outcome"]["failure"]["trouble"] == trouble
    login_command = providers.get(cli.name, cli.setup(model.url).settings).login_command
    advice = login_command if trouble == "login" else cli.model.split("/")[-1]
    assert advice in done.stdout + done.stderr, said(done)
    assert advice in project.report


def test_an_outage_is_named_at_every_turn_waited_for_and_left_behind(cli: Cli, project: Project) -> None:
    """First nothing listens, then there are too many requests, then the server fails, then it works again."""
    port = free_port()
    project.use(cli, cli.setup(f"http://127.0.0.1:{port}"))
    with project.in_background("run", TASK, "--yes") as process:
        wait_for(lambda: len(project.ended()) == 1, process, seconds=150)
        with Standin(asks_for_a_human, Fault(Kind.RATE_LIMIT, retry_after=1), port) as model:
            wait_for(lambda: len(project.ended()) == 2, process, seconds=90)
            model.fault = Fault(Kind.SERVER_ERROR, retry_after=1)
            wait_for(lambda: len(project.ended()) == 3, process, seconds=90)
            model.fault = None
            output, _ = process.communicate(timeout=90)
    *failed, last = project.ended()
    troubles = [record["outcome"]["failure"]["trouble"] for record in failed]
    assert troubles == ["network", "rate", "overload"], output
    assert {record["decision"]["kind"] for record in failed} == {"retry"}
    assert all(f"{trouble}: " in output for trouble in troubles), output
    assert last["decision"]["reason"] == "the endpoint answers again"
    assert process.returncode == 4, output


SUBSCRIPTIONS = {
    "claude": claude_subscription,
    "codex": CLIS["codex"].setup,
}


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
def test_a_usage_limit_says_when_it_ends(name: str, project: Project) -> None:
    with Standin(session, Fault(Kind.USAGE_LIMIT, resets_in=7200)) as model:
        project.use(CLIS[name], SUBSCRIPTIONS[name](model.url))
        done = project.samoloop("run", TASK, "--yes", "--no-wait")
    assert done.returncode == 3, said(done)
    (ended,) = project.ended()
    assert ended["outcome"]["failure"]["trouble"] == "usage_limit"
    assert ended["decision"]["kind"] == "limited"
    assert ended["decision"]["not_before"] == pytest.approx(time.time() + 7200, abs=120)
    assert len(model.asked) <= 2  # not asked again and again


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_stop_ends_the_cli_and_all_that_its_tools_started(cli: Cli, project: Project) -> None:
    """Every CLI runs its tools in sessions of their own, out of reach of a signal to its process group."""
    seconds = f"{uuid.uuid4().int % 10**6 + 10**6}"
    tool, left = f"{seconds}.1", f"{seconds}.2"
    script = listed([Shell(f"setsid nohup sleep {left} >/dev/null 2>&1 & echo started"), Shell(f"sleep {tool}")])
    with Standin(script) as model:
        project.use(cli, cli.setup(model.url))
        with project.in_background("run", TASK, "--yes") as process:
            wait_for(lambda: processes_with(tool) and processes_with(left), process, seconds=60)
            stopped = project.samoloop("stop", "--now")
            output, _ = process.communicate(timeout=60)
    assert stopped.returncode == 0, said(stopped)
    assert process.returncode == 6, output
    assert processes_with(tool) + processes_with(left) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_whose_worker_was_killed_is_waited_for_and_not_started_again(cli: Cli, project: Project) -> None:
    seconds = f"4.{uuid.uuid4().int % 10**6 + 10**6}"

    def naps_then_asks(conversation: Conversation) -> Turn:
        if not conversation.results:
            return Shell(f"sleep {seconds}")
        return asks_for_a_human(replace(conversation, results=conversation.results[1:]))

    with Standin(naps_then_asks) as model:
        project.use(cli, cli.setup(model.url))
        with project.in_background("run", TASK, "--yes") as process:
            wait_for(lambda: processes_with(seconds), process, seconds=60)
            process.kill()
        resumed = project.samoloop("resume")
    assert resumed.returncode == 4, said(resumed)
    events = [record["event"] for record in project.journal()]
    assert events.count("started") == 1, events
    assert "adopted" in events
    (ended,) = project.ended()
    assert ended["decision"]["reason"] == "the endpoint answers again"
    assert (
        ended["usage"]["output_tokens"] == len(model.asked) * OUTPUT_TOKENS
    )  # its output from before the kill counts too


def test_an_endpoint_that_never_answers_ends_in_a_named_limit(project: Project) -> None:
    cli = CLIS["claude"]
    with Standin(asks_for_a_human, Fault(Kind.SLOW, times=1, delay_seconds=60)) as model:
        project.use(cli, cli.setup(model.url), limits={"silence": "3s", "terminate": "2s"})
        done = project.samoloop("run", TASK, "--yes")
    first, *_, last = project.ended()
    assert first["outcome"]["ended_by"] == "silence", said(done)
    assert "did nothing for the silence limit" in done.stdout
    assert last["decision"]["reason"] == "the endpoint answers again"
    assert done.returncode == 4, said(done)


def test_a_cli_that_is_not_there_is_named_with_the_way_to_get_it(cli: Cli, project: Project) -> None:
    project.use(cli, cli.setup("http://127.0.0.1:9"))
    done = project.samoloop("run", TASK, PATH="/usr/bin:/bin")
    assert done.returncode == 2, said(done)
    assert f"'{cli.name}' is not on PATH" in done.stderr
    assert cli.package in done.stderr


def test_a_person_closes_the_gates_by_command_between_two_runs(project: Project) -> None:
    cli = CLIS["codex"]
    with Standin(session) as model:
        project.use(cli, cli.setup(model.url))
        asked = project.samoloop("run", TASK, "--no-wait")
        assert asked.returncode == 3, said(asked)
        answered = project.samoloop("answer", "Q1=B and a smile")
        assert answered.returncode == 0, said(answered)
        planned = project.samoloop("resume", "--no-wait")
        assert planned.returncode == 3, said(planned)
        approved = project.samoloop("approve")
        assert approved.returncode == 0, said(approved)
        done = project.samoloop("resume")
    assert done.returncode == 0, said(done)
    assert "**Answer:** B and a smile" in (project.session / "_qa.md").read_text()
    assert any("B and a smile" in result for asked in model.asked for result in asked.conversation.results)


def test_doctor_finds_every_cli_with_its_version(project: Project) -> None:
    for cli in CLIS.values():
        project.environ |= cli.setup("http://127.0.0.1:9").environ
    done = project.samoloop("doctor", "--json")
    for version in ("2.1.197", "0.169.0", "0.61.0", "1.18.33", "2.4.6"):
        assert version in done.stdout, said(done)
