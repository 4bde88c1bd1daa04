"""From settings to a child that can be started, and a rehearsal of it before anything is made."""

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path

from samoloop import providers
from samoloop.base.errors import ProgramMissing
from samoloop.children import sandbox
from samoloop.config import mcp, profiles, skills
from samoloop.config.loading import Config
from samoloop.core.control import PROMPT, beside
from samoloop.core.workflow import Workflow
from samoloop.providers.base import Provider, Request

_WORKER_ONLY = ("SAMOLOOP_*",)  # environment names that mean the worker, not the child


def provider_of(config: Config, name: str, environ: Mapping[str, str]) -> Provider:
    """The provider with its settings. Raises ProviderError."""
    return providers.get(name, config.provider_settings(name), environ)


def child_environment(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: without the worker's secrets."""
    hidden = (*config.scrub, *_WORKER_ONLY)
    return {
        name: value
        for name, value in environ.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in hidden)
    }


def request_for(
    config: Config,
    phase: str,
    provider: str,
    *,
    stem: Path,
    session_dir: Path,
    worktree: Path,
    title: str,
    offered: Sequence[str],
    environ: Mapping[str, str],
) -> Request:
    """What a provider is to start for a phase, which offers these skills; `environ` is the worker's."""
    settings, given = config.phase(phase), child_environment(config, environ)
    return Request(
        prompt=beside(stem, PROMPT),
        worktree=worktree,
        session_dir=session_dir,
        stem=stem,
        title=title,
        model=config.model_for(phase, provider),
        permissions=settings.permissions or config.permissions,
        effort=settings.effort or config.effort,
        skills=skills.offer(config.root, stem.parent),
        offered=offered,
        mcp=mcp.let_in(config.mcp_for(phase), config.mcp_servers, config.root, given),
        environ=given,
    )


def rehearse(config: Config, workflow: Workflow, environ: Mapping[str, str], *, elsewhere: bool = False) -> None:
    """Raise now what starting a child of any phase would raise later: a missing CLI, a mode it has not, a profile.

    A broken skill of the project too: later it would only be left out. Children that start `elsewhere` need neither
    CLI nor sandbox here.
    """
    import tempfile  # no worker needs it

    skills.refuse_broken(config.root)
    for phase in workflow.phases if not elsewhere else ():
        sandbox.is_missing(config.sandboxing(phase.name))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for phase in workflow.phases:
            profile = config.phase(phase.name).profile or config.profile
            if profile:
                profiles.load(profile, config.root)
            for provider in config.candidates(phase.name) if phase.child else ():
                stem = place / phase.name / provider
                stem.parent.mkdir(exist_ok=True)
                request = request_for(
                    config,
                    phase.name,
                    provider,
                    stem=stem,
                    session_dir=place,
                    worktree=config.root,
                    title="rehearsal",
                    offered=phase.skills,
                    environ=environ,
                )
                try:
                    provider_of(config, provider, environ).launch(request)
                except ProgramMissing:
                    if not elsewhere:
                        raise
