"""Which provider does the work now, and how long to wait where none can: by what this session and others met."""

from samoloop.core.records import LimitShared
from samoloop.core.rules import Decision, Kind
from samoloop.worker import shared_limits
from samoloop.worker.worker import Worker


def hold(worker: Worker) -> Decision | None:
    """A time that must pass first: a backoff, or the limit of every provider that could do the work. A station of a
    worker, before a child.
    """
    state, now = worker.state, worker.clock.epoch()
    until = state.not_before or 0.0
    if until > now and until not in state.limits.values():
        return Decision(Kind.LIMITED, state.phase, state.reason, not_before=until)
    times = {name: limited_until(worker, name) for name in worker.config.candidates(state.phase)}
    provider = min(times, key=lambda name: times[name])
    if times[provider] <= now:
        return None
    if state.limits.get(provider) != times[provider]:  # another session met it
        reason = shared_limits.read(provider, worker.environ, now)[1]
        worker.session.record(LimitShared(provider=provider, not_before=times[provider], reason=reason))
    return Decision(Kind.LIMITED, state.phase, state.reason, not_before=times[provider])


def limited_until(worker: Worker, provider: str) -> float:
    """When the provider is free again (epoch seconds), by what this session or another one met; 0 is now."""
    now = worker.clock.epoch()
    return max(worker.state.limits.get(provider, 0.0), shared_limits.read(provider, worker.environ, now)[0])


def free_providers(worker: Worker, but: str = "") -> list[str]:
    """Those of the phase's providers that are available now, the first choice first."""
    candidates, now = worker.config.candidates(worker.state.phase), worker.clock.epoch()
    return [name for name in candidates if name != but and limited_until(worker, name) <= now]


def pick_provider(worker: Worker) -> str:
    """The first that is free; the configured one where none is."""
    return next(iter(free_providers(worker)), worker.config.provider_for(worker.state.phase))
