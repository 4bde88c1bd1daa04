"""A command of a person's in the box of a session or of their project, so that they can look around in it."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from samoloop.api.assembly import onlooker
from samoloop.base.errors import ConfigError, ProviderError, SessionError
from samoloop.children import foreground, sandbox
from samoloop.children.sandbox import Box
from samoloop.config.loading import Config
from samoloop.core.permissions import Access, Sandboxing, SandboxMode
from samoloop.core.session import Session
from samoloop.worker import box, launching

_REQUIRED = Sandboxing(SandboxMode.REQUIRED)  # whatever the settings say: a person asked for it


def in_session(session: Session, command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it where the session's next child would work; gives its exit code. Raises NoSandbox, SessionError."""
    worker = onlooker(session, environ)
    root, phase, config = worker.state.created.worktree, worker.state.phase, worker.config
    if not root.is_dir():
        raise SessionError(f"{session.name} has no worktree any more: {root} is gone")
    found = box.of_session(worker, phase, needs_of(config, config.provider_for(phase), environ))
    return _run(found, command, worker.child_environment(), config.sandboxing(phase))


def in_project(config: Config, where: Path, command: Sequence[str], environ: Mapping[str, str]) -> int:
    """The same as for a skill that works in the folder `where` of the project."""
    found = box.of_project(config, where, environ, needs_of(config, config.provider, environ))
    return _run(found, command, launching.child_environment(config, environ), config.sandboxing(""))


def needs_of(config: Config, provider: str, environ: Mapping[str, str]) -> Mapping[Path, Access]:
    """What a CLI would have in the box; nothing where it is not there."""
    for settings in (config, replace(config, mcp=())):  # one that takes no MCP servers refuses them
        with tempfile.TemporaryDirectory() as name, suppress(ProviderError, ConfigError):
            place = Path(name)
            request = launching.request_for(
                settings,
                "",
                provider,
                stem=place / "000",
                session_dir=place,
                worktree=config.root,
                title="",
                offered=(),
                environ=environ,
            )
            return launching.provider_of(config, provider, environ).launch(request).needs
    return {}


def _run(found: Box, command: Sequence[str], environ: Mapping[str, str], settings: Sandboxing) -> int:
    terminal = foreground.is_terminal()
    found = replace(found, terminal=terminal, network=settings.network is not False)
    argv = [*sandbox.words_for(_REQUIRED, found), *command]
    run = foreground.run_in_terminal if terminal else foreground.run
    return run(argv, cwd=Path("/"), environ=environ)
