"""Flags of `run` that shape the work: --until, --from, --focus, --dry-run, --effort and --profile."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from kit import Bench, git, make_repo, samoloop, script

from samoloop.api import dry_run as ahead
from samoloop.api import findings
from samoloop.config import workflow_files
from samoloop.core.records import Started
from samoloop.core.session import all_sessions
from samoloop.core.signals import Status
from samoloop.worker.stations import Stations

pytestmark = pytest.mark.slow  # whole commands

# Does what the prompt says of the end: where a later phase would follow, it signals done.
CHILD = """
prompt=$(ls _logs/$(printf %03d "$SAMOLOOP_ITERATION")-*.prompt.md | tail -1)
ends() { grep -q "The session ends with this phase" "$prompt"; }
on() { if ends; then signal '{"status": "done", "summary": "as far as asked"}'; else next "$1"; fi; }
case $SAMOLOOP_PHASE in
investigation) echo found > 11-21-0900-dive-x.md; on requirements;;
requirements)
  if [ -f asked ]; then echo r > 11-21-0900-requirements-x.md; on planning
  else touch asked; ask 'Way?'; fi;;
planning)
  if grep -q "gate plan_approval is passed" "$prompt"; then on implementation
  else echo plan > 11-21-0900-plan-x.md; plan 11-21-0900-plan-x.md; fi;;
*) on done;;
esac
"""
FINDINGS = """# Audit: shop
## In short
Two confirmed.
### F1: anybody can read an order
Severity: critical
Status: confirmed
Where: `shop/orders.py:12`
```sh
### F9: this line is output, not a finding
Status: confirmed
```
### F2: a slow page
Status: unverified
## Refuted
- F3 nothing
### F4: the total is wrong
**Status:** Confirmed
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A project, and a scripted child in the person's own configuration."""
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, CHILD))
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}}
    folder = Path(os.environ["HOME"]) / ".config" / "samoloop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(json.dumps(settings))
    return bench


def made(bench: Bench) -> list[str]:
    return [session.name for session in all_sessions(bench.root / "_sessions")]


def refused(bench: Bench, *words: str, says: str) -> None:
    """Exit code 2, one sentence, nothing written, neither session nor branch."""
    before = made(bench), git(bench.root, "branch", "--list"), sorted(bench.root.iterdir())
    done = samoloop(bench.root, "run", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 or "Usage:" in done.stderr
    assert (made(bench), git(bench.root, "branch", "--list"), sorted(bench.root.iterdir())) == before


def old_session(bench: Bench, workflow: str, document: str | None) -> str:
    """A session of the past that left a document."""
    bench.settings = {"workflow": workflow}
    session = bench.session(f"An {workflow} of the shop")
    if document is not None:
        (session.dir / "11-20-0900-review-shop.md").write_text(document)
    return session.name


def task(bench: Bench) -> str:
    (session,) = [found for found in all_sessions(bench.root / "_sessions") if "shop" not in found.name]
    return (session.dir / "_task.md").read_text()


# --- --until ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "phases"),
    [
        ("investigation", ["investigation"]),
        ("requirements", ["investigation", "requirements", "requirements"]),
        ("planning", ["investigation", "requirements", "requirements", "planning"]),
    ],
)
def test_a_session_ends_with_the_phase_that_was_asked_for(bench: Bench, until: str, phases: list[str]) -> None:
    """An approval that is the end needs no child to say so."""
    done = samoloop(bench.root, "run", "Do it", "--until", until, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    (session,) = all_sessions(bench.root / "_sessions")
    assert [record.phase for record in session.journal.read() if isinstance(record, Started)] == phases
    assert session.state().condition == "done"
    assert session.state().summary == ("11-21-0900-plan-x.md is approved" if until == "planning" else "as far as asked")
    assert "**Done" in (session.dir / "_report.md").read_text()
    assert f"{session.name}: Done" in done.stdout


def test_an_approval_with_a_comment_ends_what_ends_with_the_plan(bench: Bench) -> None:
    assert samoloop(bench.root, "run", "Do it", "--until", "planning", "--no-wait").returncode == 3
    assert samoloop(bench.root, "answer", "Q1=A").returncode == 0
    assert samoloop(bench.root, "resume", "--no-wait").returncode == 3
    assert samoloop(bench.root, "approve", "-m", "In two commits.").returncode == 0
    assert samoloop(bench.root, "resume").returncode == 0
    (session,) = all_sessions(bench.root / "_sessions")
    state = session.state()
    assert (state.summary, state.iteration) == ("11-21-0900-plan-x.md is approved", 4)
    assert "In two commits." in (session.dir / "_report.md").read_text()


def test_a_cut_session_still_waits_for_its_last_gate(bench: Bench) -> None:
    done = samoloop(bench.root, "run", "Do it", "--until", "planning", "--no-wait")
    assert done.returncode == 3
    assert samoloop(bench.root, "answer", "Q1=A").returncode == 0
    assert samoloop(bench.root, "resume", "--no-wait").returncode == 3
    (session,) = all_sessions(bench.root / "_sessions")
    assert session.state().gate is not None


@pytest.mark.parametrize("name", workflow_files.names(None))
def test_every_workflow_is_sound_wherever_it_is_cut(name: str) -> None:
    workflow = workflow_files.load(name, None)
    for phase in workflow.phases:
        if phase.child:
            cut = workflow.until(phase.name)
            assert workflow_files.check(cut) == []
            assert cut.names == workflow.names[: len(cut.names)]
            assert Status.DONE in cut.phase(phase.name).signals
            assert type(cut).from_json(json.loads(json.dumps(cut.to_json()))) == cut


def test_until_a_phase_that_the_workflow_has_not_is_refused(bench: Bench) -> None:
    refused(bench, "Do it", "--until", "plannig", says="planning?): the workflow feature has no such phase")
    refused(bench, "Do it", "--until", "init", says="it has: investigation, requirements, planning")
    refused(bench, "Do it", "--workflow", "exec", "--until", "planning", says="the workflow exec has no such phase")


# --- --from -----------------------------------------------------------------------------------------------------------


def test_findings_are_the_sections_with_a_number_and_a_status() -> None:
    found = list(findings.parse("a.md", FINDINGS))
    assert [(one.id, one.title, one.status) for one in found] == [
        ("F1", "anybody can read an order", "confirmed"),
        ("F2", "a slow page", "unverified"),
        ("F4", "the total is wrong", "confirmed"),
    ]
    assert "this line is output" in found[0].text
    assert "Refuted" not in found[1].text


def test_a_line_made_to_be_slow_is_not() -> None:
    text = f"### F1: one\nStatus{':' * 900_000}\nStatus: confirmed\n"
    (found,) = findings.parse("a.md", text)
    assert found.status == "confirmed"


def test_a_fence_that_is_never_closed_hides_no_finding() -> None:
    text = "### F1: one\nStatus: confirmed\n```sh\nmake\n### F2: two\n- Status: **confirmed**, by a test\n"
    assert [(one.id, one.status) for one in findings.parse("a.md", text)] == [("F1", "confirmed"), ("F2", "confirmed")]


@pytest.mark.parametrize(("source", "workflow"), [("audit", "fix"), ("test", "fix"), ("improve", "feature")])
def test_the_confirmed_findings_become_the_task_of_a_session_that_mends_them(
    bench: Bench, source: str, workflow: str
) -> None:
    old = old_session(bench, source, FINDINGS)
    done = samoloop(bench.root, "run", "--from", old, "--session", "mend", "--no-wait")
    assert done.returncode in (3, 4, 0), done.stderr
    text = task(bench)
    assert text.startswith(f"Mend what {old} found")
    assert "### F1: anybody can read an order" in text
    assert "### F4: the total is wrong" in text
    assert "a slow page" not in text
    (session,) = [one for one in all_sessions(bench.root / "_sessions") if one.name.endswith("mend")]
    assert session.state().live_workflow.name == workflow


def test_the_persons_words_and_workflow_win_over_what_findings_imply(bench: Bench) -> None:
    old = old_session(bench, "audit", FINDINGS)
    words = ("run", "Only the worst one", "--from", old, "--workflow", "exec", "--session", "mend")
    assert samoloop(bench.root, *words).returncode == 0
    assert task(bench).startswith("Only the worst one\n\n## Findings of")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "it has no findings"),
        ("# Audit\nAll sound.\n", "it has no findings"),
        ("# Audit\n### F1: x\nStatus: unverified\n", "none of its 1 findings is confirmed"),
    ],
)
def test_a_session_without_findings_is_refused(bench: Bench, document: str | None, says: str) -> None:
    refused(bench, "--from", old_session(bench, "audit", document), says=says)


def test_an_unknown_source_is_refused_with_the_known_ones(bench: Bench) -> None:
    old = old_session(bench, "audit", FINDINGS)
    refused(bench, "--from", "nothing", says=f"there is no session 'nothing' in {bench.root / '_sessions'}")
    refused(bench, "--from", "nothing", says=old)


def test_a_document_that_a_child_made_a_link_is_not_read(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.md").write_text(FINDINGS)
    old = old_session(bench, "audit", None)
    (bench.root / "_sessions" / old / "11-20-0900-review-x.md").symlink_to(tmp_path / "elsewhere.md")
    refused(bench, "--from", old, says="it has no findings")


# --- --focus ----------------------------------------------------------------------------------------------------------


def test_a_focus_goes_into_the_task_of_an_audit(bench: Bench) -> None:
    done = samoloop(bench.root, "run", "The checkout", "--focus", "security", "--until", "survey")
    assert done.returncode == 0, done.stderr
    assert task(bench) == "The checkout\n\nFocus: security, and nothing else.\n"
    (session,) = all_sessions(bench.root / "_sessions")
    assert session.state().live_workflow.name == "audit"


def test_a_focus_that_is_unknown_or_for_no_audit_is_refused(bench: Bench) -> None:
    refused(bench, "x", "--focus", "beauty", says="'beauty' is not one of")
    refused(bench, "x", "--focus", "security", "--workflow", "fix", says="the workflow fix has no phase audit")


def test_wishes_belong_to_a_new_session(bench: Bench) -> None:
    assert samoloop(bench.root, "run", "Do it", "--session", "it", "--no-wait").returncode == 3
    for flag in (["--until", "planning"], ["--from", "it"], ["--focus", "security"], ["--dry-run"]):
        refused(bench, "--session", "it", *flag, says=f"{flag[0]} is for a new session")


# --- --dry-run --------------------------------------------------------------------------------------------------------


def dry_run(bench: Bench, *words: str) -> dict[str, Any]:
    done = samoloop(bench.root, "run", "Add JWT auth", "--dry-run", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_dry_run_shows_the_session_and_writes_nothing(bench: Bench) -> None:
    settings = {"phases": {"testing": {"model": "big", "iteration": "45m", "profile": "qa"}}, "workflow": "feature"}
    (bench.root / ".samoloop.yaml").write_text(json.dumps(settings))
    before = sorted(path.name for path in bench.root.rglob("*"))
    found = dry_run(bench)
    steps = {step["phase"]: step for step in found["phases"]}
    assert list(steps) == list(workflow_files.load("feature", None).names)
    assert steps["planning"]["gate"] == "plan_approval"
    assert steps["testing"]["model"] == "big"
    assert steps["testing"]["limit_seconds"] == 2700
    assert steps["testing"]["profile"] == "qa"
    assert steps["init"]["prompt_bytes"] is None
    assert found["session"].endswith("-add-jwt-auth")
    assert found["base"] == git(bench.root, "rev-parse", "HEAD")
    text = samoloop(bench.root, "run", "Add JWT auth", "--dry-run").stdout
    assert "GATE: plan_approval by a person" in text
    assert "checks    none" in text
    assert "scripted big as qa" in text
    assert sorted(path.name for path in bench.root.rglob("*")) == before
    assert not (Path(os.environ["HOME"]) / ".local").exists()


def test_the_size_in_a_dry_run_is_that_of_the_real_prompt(bench: Bench) -> None:
    size = {step["phase"]: step["prompt_bytes"] for step in dry_run(bench)["phases"]}["investigation"]
    assert samoloop(bench.root, "run", "Add JWT auth", "--no-wait").returncode == 3
    (session,) = all_sessions(bench.root / "_sessions")
    assert (session.logs / "001-investigation.prompt.md").stat().st_size == size


def test_a_dry_run_counts_what_rooms_add_to_a_prompt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = workflow_files.load("exec", None)

    def size() -> int:
        folder = bench.root / "_sessions" / "26-11-21-x"
        return ahead.prompt_bytes(bench.config, workflow, workflow.phase("exec"), folder, None)

    before, more = size(), Stations(prompt=(lambda worker: f"## Weather in {worker.state.phase}\n\nRain.",))
    monkeypatch.setattr(ahead, "STATIONS", ahead.STATIONS.and_then(more))
    assert size() == before + len("\n\n## Weather in exec\n\nRain.")


@pytest.mark.parametrize("name", workflow_files.names(None))
def test_what_every_child_pays_for_stays_small(bench: Bench, name: str) -> None:
    workflow = workflow_files.load(name, None)
    cuts = ["--workflow", name, "--effort", "max", "--until", workflow.last]
    sizes = {step["phase"]: step["prompt_bytes"] or 0 for step in dry_run(bench, *cuts)["phases"]}
    assert max(sizes.values()) < 6000, sizes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--profile", "wizard"], "there is no profile 'wizard'"),
        (["--workflow", "nothing"], "there is no workflow 'nothing'"),
        (["--provider", "nobody"], "there is no provider 'nobody'"),
        (["--base", "nowhere"], "nowhere"),
        (["--session", "a/b"], "cannot be a session's name"),
    ],
)
def test_what_a_run_would_refuse_a_dry_run_refuses_too(bench: Bench, words: list[str], says: str) -> None:
    for mode in ([], ["--dry-run"]):
        done = samoloop(bench.root, "run", "Do it", *words, *mode)
        assert done.returncode == 2
        assert says in done.stderr
    assert made(bench) == []


# --- --effort and --profile -------------------------------------------------------------------------------------------

# A CLI of its own name that writes down how it was called and then plays the script.
RECORDER = """#!/bin/sh
echo "$@" >> "{calls}"
exec "{child}"
"""


@pytest.mark.parametrize(
    ("cli", "variable", "switch"),
    [
        ("claude", "CLAUDE_PATH", "--effort max"),
        ("codex", "CODEX_PATH", "model_reasoning_effort=xhigh"),
    ],
)
def test_effort_reaches_the_childs_cli_and_its_prompt(
    bench: Bench, tmp_path: Path, cli: str, variable: str, switch: str
) -> None:
    program, calls = tmp_path / cli, tmp_path / "calls"
    program.write_text(RECORDER.format(calls=calls, child=bench.child))
    program.chmod(0o755)
    words = ("run", "Do it", "--provider", cli, "--effort", "max", "--until", "investigation")
    done = samoloop(bench.root, *words, env={variable: str(program)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert switch in calls.read_text()
    (session,) = all_sessions(bench.root / "_sessions")
    assert "Effort max: " in (session.logs / "001-investigation.prompt.md").read_text()


def test_a_profile_reaches_the_prompt_also_after_a_resume_and_a_phase_may_have_its_own(bench: Bench) -> None:
    (bench.root / ".samoloop" / "profiles").mkdir(parents=True)
    (bench.root / ".samoloop" / "profiles" / "pirate.md").write_text("---\nname: pirate\n---\nSay arr.\n")
    (bench.root / ".samoloop.yaml").write_text(json.dumps({"phases": {"requirements": {"profile": "qa"}}}))
    assert samoloop(bench.root, "run", "Do it", "--profile", "pirate", "--no-wait").returncode == 3
    assert samoloop(bench.root, "answer", "--suggested").returncode == 0
    assert samoloop(bench.root, "resume", "--no-wait").returncode == 3
    (session,) = all_sessions(bench.root / "_sessions")
    told = {path.name[4:-10]: path.read_text() for path in session.logs.glob("*.prompt.md")}
    assert "Say arr." in told["investigation"]
    assert "Say arr." not in told["requirements"]
    assert "## Posture" in told["requirements"]
    assert "Say arr." in told["planning"]


def test_an_unknown_profile_or_effort_is_refused_before_anything_is_made(bench: Bench) -> None:
    refused(bench, "Do it", "--profile", "wizard", says="there is no profile 'wizard'; there are: architect")
    refused(bench, "Do it", "--effort", "extreme", says="'extreme' is not one of")
    (bench.root / ".samoloop.yaml").write_text(json.dumps({"phases": {"done": {"profile": "wizard"}}}))
    refused(bench, "Do it", says="there is no profile 'wizard'")


@pytest.mark.parametrize(
    ("file", "value"),
    [
        (".samoloop.yaml", "2026-99-99"),
        (".samoloop/workflows/mine.yaml", "2026-99-99"),
        (".samoloop/workflows/mine.yaml", "[" * 4000 + "]" * 4000),
    ],
    ids=["settings", "workflow", "a deep workflow"],
)
def test_what_yaml_itself_cannot_take_is_one_sentence(bench: Bench, file: str, value: str) -> None:
    """The parser raises more than its own errors."""
    (bench.root / file).parent.mkdir(parents=True, exist_ok=True)
    (bench.root / file).write_text(f"name: mine\nmodel: {value}\n")
    done = samoloop(bench.root, "run", "Do it", "--workflow", "mine")
    assert done.returncode == 2
    assert Path(file).name in done.stderr
    assert "Traceback" not in done.stderr
