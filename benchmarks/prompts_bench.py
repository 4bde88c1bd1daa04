"""Bytes that are paid for: the first prompt of every phase, each skill when it is used, and what a CLI preloads."""

from pathlib import Path

from measure import Row

from samoloop.api import dry_run
from samoloop.config import loading, skills, workflow_files

PROMPT_BYTES = 6000
# A session in folders of ordinary depth.
ROOT = Path("/home/maria/projects/webshop")
SESSION = "26-11-21-add-jwt-login"
BASE = "3f2a" * 10


def rows(folder: Path) -> list[Row]:
    """Bounds are those of the design: prompts under 6,000 bytes, descriptions together at most 8,000 characters."""
    return [*_phases(), *_skills()]


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
