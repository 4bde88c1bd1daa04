"""A session's settings: what it remembers, with what is said now on top, key by key."""

from collections.abc import Mapping
from typing import Any

from samoloop.config import loading
from samoloop.config.loading import Config
from samoloop.core.session import Session


def settings_of(session: Session, environ: Mapping[str, str], said: Mapping[str, Any] | None = None) -> Config:
    """Files, then the environment at the hand-off, then the environment now, then what was said at the hand-off and
    at each resume, then `said`. Nothing is lifted by leaving it out. Raises ConfigError.
    """
    state = session.state()
    return loading.settings_of(
        state.created.root,
        environ,
        environment=state.created.environment,
        remembered=loading.merged(*state.said),
        said=said or {},
    )


def remembered(settings: Config, said: Mapping[str, Any]) -> dict[str, Any]:
    """What a session keeps of what was said; a model is kept with the provider that it was named for."""
    return loading.merged({"provider": settings.provider}, said) if said.get("model") else dict(said)
