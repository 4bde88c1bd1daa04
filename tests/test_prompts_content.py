"""The prompts and workflows hold together: sizes, front matter, signals shown, names that must exist."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROMPTS = ROOT / "phase_prompts"
SKILLS = ROOT / "skills"
PHASE_FILES = sorted(path for path in PROMPTS.glob("*.md") if path.name != "protocol.md")
WORKFLOW_FILES = sorted((PROMPTS / "workflows").glob("*.yaml"))
PROFILE_FILES = sorted((PROMPTS / "profiles").glob("*.md"))

FRONT_MATTER = {
    "name",
    "summary",
    "child",
    "signals",
    "gate",
    "waits",
    "max_iterations",
    "iteration",
    "skills",
    "changes",
    "leaves",
    "checks",
    "backlog",
}
GATES = {"qa_answers", "plan_approval"}
WAITS = GATES | {"human_action", "file_update"}
NEEDS = {"human_decision", "clarification", "error_resolution"}
SIGNAL_FIELDS = {
    "continue": {"status", "phase"},
    "waiting": {"status", "phase", "for", "file", "reason"},
    "blocked": {"status", "phase", "reason", "needs"},
    "done": {"status", "phase", "summary"},
}
# What the worker fills in; a session in a folder of ordinary depth.
VARIABLES = {
    "session_dir": "/home/maria/projects/webshop/_sessions/26-11-21-add-jwt-login",
    "worktree": "/home/maria/projects/webshop/.samoloop/worktrees/26-11-21-add-jwt-login",
    "overview": "/home/maria/projects/webshop/_sessions/26-11-21-add-jwt-login/_overview.md",
    "signal": "/home/maria/projects/webshop/_sessions/26-11-21-add-jwt-login/_signal.json",
    "task_file": "/home/maria/projects/webshop/_sessions/26-11-21-add-jwt-login/_task.md",
    "skills_dir": "/home/maria/.local/lib/python3.13/site-packages/samoloop/skills",
    "branch": "samoloop/add-jwt-login",
    "phase": "implementation",
    "iteration": "12",
    "next_phases": "implementation, testing, quality",
    "today": "11-21-0930",
    "next": "testing",
    "leave": '{"status": "continue", "phase": "testing"}',
    "example": '{"status": "continue", "phase": "implementation"}',
    "code": "**Code** stays in the worktree: small commits on its branch, messages that say why. What you leave, "
    "the worker commits, trial files too: remove those. If git may not write, leave the changes.",
    "change": "`git diff 3f2a3f2a3f2a`",
    "lately": "`git status` and `git log --oneline -5`",
}
FACTS_BYTES = 700  # what the worker adds: folders, branch, iteration, next phases, skills, guidance


def split(path: Path) -> tuple[dict[str, Any], str]:
    """Front matter and body of a Markdown file."""
    opening, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    assert opening == "", f"{path.name} starts with its front matter"
    return yaml.safe_load(front), body


def render(text: str, **values: str) -> str:
    """Fill the template; an unknown variable is a KeyError."""
    known = VARIABLES | values
    return re.sub(r"\{\{(\w+)\}\}", lambda match: known[match[1]], text)


def signals_in(text: str) -> list[dict[str, Any]]:
    """Every JSON line of the fenced json blocks and every JSON line of the shell examples."""
    lines = re.findall(r"^\{.*\}$", text, re.MULTILINE)
    return [json.loads(line) for line in lines]


def workflow(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def next_phases(flow: dict[str, Any], phase: str) -> list[str]:
    """What a child of `phase` may continue with: the next one in the main order, extra edges, its own."""
    order = flow["phases"]
    following = order[order.index(phase) + 1 : order.index(phase) + 2]
    return [*following, *flow.get("edges", {}).get(phase, []), phase]


def front_matter(flow: dict[str, Any], phase: str) -> dict[str, Any]:
    return split(PROMPTS / f"{phase}.md")[0] | flow.get("overrides", {}).get(phase, {})


def ids(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


PHASES = pytest.mark.parametrize("path", PHASE_FILES, ids=ids(PHASE_FILES))
WORKFLOWS = pytest.mark.parametrize("path", WORKFLOW_FILES, ids=ids(WORKFLOW_FILES))
PROFILES = pytest.mark.parametrize("path", PROFILE_FILES, ids=ids(PROFILE_FILES))


@PHASES
def test_front_matter_of_a_phase_has_known_keys_and_values(path: Path) -> None:
    front, _ = split(path)
    assert front["name"] == path.stem
    assert set(front) <= FRONT_MATTER
    assert front["summary"] and "\n" not in front["summary"]
    assert set(front.get("signals", [])) <= set(SIGNAL_FIELDS)
    assert front.get("gate", "qa_answers") in GATES
    assert set(front.get("waits", [])) <= WAITS
    if front.get("child", True):
        assert front["max_iterations"] > 0
        assert front["signals"]


@PHASES
def test_skills_named_by_a_phase_exist(path: Path) -> None:
    for skill in split(path)[0].get("skills", []):
        assert (SKILLS / skill / "SKILL.md").is_file(), f"{path.name} names the skill {skill}"


def test_the_shared_protocol_stays_short() -> None:
    assert len((PROMPTS / "protocol.md").read_bytes()) <= 2400


def test_the_shell_lines_of_the_protocol_write_the_signal_whatever_the_path(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "session" $HOME été'
    folder.mkdir()
    signal = folder / "_signal.json"
    protocol = render(
        (PROMPTS / "protocol.md").read_text(encoding="utf-8"),
        phase="testing",
        example='{"status": "continue", "phase": "testing"}',
    )
    block = re.search(r"```sh\n(.*?)```", protocol, re.DOTALL)
    assert block
    subprocess.run(["sh", "-ec", block[1]], env=os.environ | {"SAMOLOOP_SIGNAL": str(signal)}, check=True)
    assert json.loads(signal.read_text(encoding="utf-8")) == {"status": "continue", "phase": "testing"}
    assert [path.name for path in folder.iterdir()] == ["_signal.json"]


@PHASES
def test_a_phase_body_stays_short_and_leaves_room_for_the_facts(path: Path) -> None:
    protocol = (PROMPTS / "protocol.md").read_text(encoding="utf-8")
    body = split(path)[1]
    assert len(body.encode()) <= 2800
    assert len(render(protocol + "\n" + body).encode()) + FACTS_BYTES < 6000


@PHASES
def test_a_phase_repeats_nothing_of_the_protocol(path: Path) -> None:
    protocol = {line for line in (PROMPTS / "protocol.md").read_text(encoding="utf-8").splitlines() if len(line) > 40}
    shared = {line for line in split(path)[1].splitlines() if line in protocol}
    assert not shared


@WORKFLOWS
def test_a_workflow_uses_phases_that_exist_and_known_keys(path: Path) -> None:
    flow = workflow(path)
    phases = flow["phases"]
    assert set(flow) <= {"name", "summary", "phases", "edges", "rounds", "overrides"}
    assert flow["name"] == path.stem
    assert flow["summary"] and len(flow["summary"]) <= 160
    assert len(set(phases)) == len(phases)
    for phase in phases:
        assert (PROMPTS / f"{phase}.md").is_file(), f"{path.name} names the phase {phase}"
    for source, targets in flow.get("edges", {}).items():
        assert {source, *targets} <= set(phases)
        assert phases[0] not in targets
    for phase, rounds in flow.get("rounds", {}).items():
        assert rounds > 0
        assert any(phases.index(target) < phases.index(phase) for target in flow["edges"][phase])
    for phase, keys in flow.get("overrides", {}).items():
        assert phase in phases
        assert set(keys) <= FRONT_MATTER - {"name"}


@WORKFLOWS
def test_every_backward_edge_has_a_limit(path: Path) -> None:
    flow = workflow(path)
    order = flow["phases"].index
    for source, targets in flow.get("edges", {}).items():
        if any(order(target) < order(source) for target in targets):
            assert source in flow.get("rounds", {}), f"{source} may go back for ever"


@WORKFLOWS
def test_no_gate_can_be_walked_around_and_no_phase_is_a_dead_end(path: Path) -> None:
    flow = workflow(path)
    first, last = flow["phases"][0], flow["phases"][-1]

    def reached(start: str, without: str = "") -> set[str]:
        seen, todo = set[str](), [start]
        while todo:
            phase = todo.pop()
            if phase not in seen and phase != without:
                seen.add(phase)
                todo += next_phases(flow, phase)
        return seen

    assert reached(first) == set(flow["phases"])
    for phase in flow["phases"]:
        assert last in reached(phase), f"{phase} never reaches {last}"
        if front_matter(flow, phase).get("gate"):
            assert last not in reached(first, without=phase), f"the gate of {phase} can be walked around"


@WORKFLOWS
def test_only_the_last_phase_ends_a_session_and_every_child_can_go_on(path: Path) -> None:
    flow = workflow(path)
    for phase in flow["phases"]:
        front = front_matter(flow, phase)
        if not front.get("child", True):
            continue
        assert ("done" in front["signals"]) == (phase == flow["phases"][-1])
        assert {"continue", "blocked"} <= set(front["signals"])
        if front.get("gate"):
            assert "waiting" in front["signals"]


@PROFILES
def test_a_profile_is_a_short_posture(path: Path) -> None:
    front, body = split(path)
    assert set(front) == {"name", "summary"}
    assert front["name"] == path.stem
    assert len(path.read_bytes()) <= 600
    assert body.strip() and "{{" not in body
