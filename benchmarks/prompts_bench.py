"""Bytes that are paid for: the first prompt of every phase, what a child reads before its first action in a session of
61 iterations, each skill when it is used, and what a CLI preloads.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from measure import Row

from samoloop.api import dry_run
from samoloop.config import loading, skills, workflow_files
from samoloop.core import overview
from samoloop.core.records import Created
from samoloop.core.state import State
from samoloop.worker import guidance, prompt

PROMPT_BYTES = 6000
READ_BYTES, FLAT = 25_000, 1.25
PREDECESSOR = {
    "investigation": 8733,
    "requirements": 10169,
    "planning": 10128,
    "implementation": 10744,
    "testing": 9729,
    "quality": 9939,
    "done": 9354,
}
# A session in folders of ordinary depth.
ROOT = Path("/home/maria/projects/webshop")
SESSION = "26-11-21-add-jwt-login"
BASE = "3f2a" * 10


def rows(folder: Path) -> list[Row]:
    """Bounds are those of the design: prompts under 6,000 bytes, 25,000 before the first action and no more later than
    early, descriptions together at most 6,000 characters.
    """
    return [*_phases(), *_session(), *_predecessor(), *_skills()]


def _phases() -> list[Row]:
    """The largest size of each phase over the workflows that use it."""
    settings = loading.load(ROOT, {"HOME": "/home/maria"})
    sizes: dict[str, int] = {}
    for name in workflow_files.names(None):
        workflow = workflow_files.load(name, None)
        for phase in (phase for phase in workflow.phases if phase.child):
            size = dry_run.prompt_bytes(settings, workflow, phase, settings.sessions_dir / SESSION, BASE)
            sizes[phase.name] = max(size, sizes.get(phase.name, 0))
    return [
        Row(f"prompt of {name}", f"{size:,} bytes", f"< {PROMPT_BYTES:,}", size < PROMPT_BYTES)
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])
    ]


def _session() -> Iterator[Row]:
    """What a child reads before its first action: prompt, overview, guidance, and the documents that its phase names.

    The session: 3 dives, questions, 44 items, 6 rounds of testing, 4 of quality. Code and its diff are not counted:
    they are the work itself.
    """
    sizes = list(simulated())
    for name in dict.fromkeys(phase for phase, _ in sizes):
        own = [size for phase, size in sizes if phase == name]
        first, last, most = own[0], own[-1], max(own)
        met = most < READ_BYTES and (name == "investigation" or most <= FLAT * own[min(len(own) - 1, 15)])
        yield Row(
            f"read before the first action, {name}, {len(own)} iterations",
            f"{first:,} … {last:,} bytes, at most {most:,}",
            f"< {READ_BYTES:,}, flat",
            met,
        )


def simulated() -> Iterator[tuple[str, int]]:
    """Phase and bytes of each iteration."""
    workflow = workflow_files.load("feature", None)
    created = Created(session=SESSION, workflow=workflow, base=BASE, branch="samoloop/add-jwt-login", worktree=ROOT)
    folder, task = ROOT / "_sessions" / SESSION, "Add a login with JWT. " * 10
    said = [guidance.Saying("", "The task", task)]
    notebook = overview.skeleton("Add a login", task, "investigation")
    kinds: dict[str, str] = {}
    done: dict[str, int] = {}
    for number, phase in enumerate(PHASES, 1):
        done[phase] = done.get(phase, 0) + 1
        place = prompt.Place(
            folder, ROOT, "samoloop/add-jwt-login", Path("/skills"), 1800, documents=sorted(kinds.values())
        )
        now = datetime(2026, 11, 21, 9, number % 60, tzinfo=UTC)
        state = State(creation=created, phase=phase, iteration=number, passed=set(workflow.phase(phase).waits))
        built = prompt.build(place, state, iteration=number + 1, now=now, additions_file=folder, guidance=[])
        read = len(built.text.encode()) + len(notebook.encode()) + len(guidance.render(said).encode())
        yield phase, read + _documents(phase, done)
        if kind := workflow.phase(phase).leaves:
            kinds[kind] = f"11-21-09{number:02d}-{kind}-add-jwt-login.md"
            notebook += f"- {kinds[kind]}: what came of it, in a few words\n"
        line = f"- {number:03d} {phase}: did the next item, its tests are green and committed\n"
        notebook = overview.with_newest(notebook.replace("\n## Files", f"{line}\n## Files"), now)[0]
        if number % 5 == 0:
            said.append(replace(said[0], what=f"Told before iteration {number}", words="Keep the old tokens valid."))


def _documents(phase: str, done: dict[str, int]) -> int:
    """What the phase's text tells a child to read of the session, by the sizes of a session that was looked at."""
    dive, short, requirements, plan, item, tick = 5000, 600, 2200, 600, 450, 90
    testing, review = 3300, 2600
    dives = min(done.get("investigation", 0), 3)
    older = short * max(dives - 1, 0)
    return {
        "investigation": dive if done["investigation"] > 1 else 0,
        "requirements": dive + older + 900,
        "planning": requirements + dive + older,
        "implementation": plan + item + 500,
        "testing": requirements + plan + (testing if done.get("testing", 0) > 1 else 0),
        "quality": requirements + plan + testing + (review if done.get("quality", 0) > 1 else 0),
        "done": requirements + 44 * tick + testing + review,
    }[phase]


PHASES = (
    *("investigation",) * 3,
    *("requirements",) * 2,
    "planning",
    *("implementation",) * 44,
    *("testing", "quality") * 4,
    *("testing",) * 2,
    "done",
)


def _predecessor() -> Iterator[Row]:
    """Recorded once: its context file and the phase's agent file, with the same paths, without the skills it forces."""
    for phase, size in PREDECESSOR.items():
        yield Row(f"the predecessor's fixed part, {phase} (samocode, its files of 2026-11)", f"{size:,} bytes")


def _skills() -> list[Row]:
    found = skills.available(None)
    described = sum(len(skill.description) for skill in found)
    named = sum(len(f"{skill.name}: {skill.description}\n".encode()) for skill in found)
    total = Row(
        f"preloaded by a CLI: names and descriptions of {len(found)} skills",
        f"{named:,} bytes",
        f"≤ {skills.DESCRIPTIONS_LENGTH:,} characters",
        described <= skills.DESCRIPTIONS_LENGTH,
    )
    return [total, *(Row(f"skill {skill.name}, when it is used", _size(skill)) for skill in found)]


def _size(skill: skills.Skill) -> str:
    main = len(skill.files[skills.FILE_NAME])
    more = sum(map(len, skill.files.values())) - main
    return f"{main:,} bytes" + (f", references {more:,}" if more else "")
