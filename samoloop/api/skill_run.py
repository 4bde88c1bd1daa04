"""One skill, headless, with any provider: one child, no session, in whatever folder the person is in."""

import re
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from samoloop.base.durations import format_seconds
from samoloop.base.errors import UsageError
from samoloop.base.files import remove, write_anew
from samoloop.base.locks import Lock
from samoloop.base.values import frozen
from samoloop.children.run import run as run_child
from samoloop.children.stop import StopRequest
from samoloop.config.loading import Config
from samoloop.config.project import find_root
from samoloop.config.skills import Skill
from samoloop.core.control import LOCK
from samoloop.core.events import Event, Trouble
from samoloop.core.limits import EndedBy
from samoloop.core.outcome import Outcome
from samoloop.providers.base import Request
from samoloop.worker import box, launching

# What the skills write: `<MM-DD-HHMM>-<kind>-<slug>.md`.
_DOCUMENT = re.compile(r"\d\d-\d\d-\d{4}-[a-z]+-.+\.md")
_NO_PHASE = ""  # so the settings of no phase apply
_NEEDS_PERSON = (Trouble.LOGIN, Trouble.BILLING)


@frozen
class SkillOrder:
    """What is to be run, where and how."""

    skill: Skill
    topic: str  # the person's words; empty: the folder as it is
    where: Path  # the child's working folder
    provider: str


@frozen
class Report:
    """What became of it."""

    outcome: Outcome
    documents: tuple[Path, ...]  # new or changed ones
    logs: Path | None  # kept where it failed
    left: tuple[int, ...]  # processes that could not be ended

    @property
    def exit_code(self) -> int:
        """As for a session: 0 done, 3 a limit, 4 a person is needed, 5 the CLI does not work, 130 interrupted."""
        outcome = self.outcome
        if outcome.ended_by is EndedBy.STOP:
            return 130
        if outcome.failure and outcome.failure.trouble is Trouble.USAGE_LIMIT:
            return 3
        if outcome.failure and outcome.failure.trouble in _NEEDS_PERSON:
            return 4
        if outcome.cli_failed:
            return 5
        return 0 if outcome.ended_by in (EndedBy.EXIT, EndedBy.GRACE) else 4

    @property
    def sentence(self) -> str:
        """Why it did not come to its end; empty where it did."""
        outcome = self.outcome
        if self.exit_code == 0:
            return ""
        if outcome.ended_by is EndedBy.STOP:
            return "stopped by a person"
        if outcome.failure:
            trouble, message = outcome.failure.trouble, outcome.failure.message
            return message if trouble is Trouble.OTHER else f"{trouble.replace('_', ' ')}: {message}"
        if outcome.ended_by not in (EndedBy.EXIT, EndedBy.GRACE):
            limit = outcome.ended_by.replace("_", " ")
            return f"ended at its {limit} limit after {format_seconds(outcome.seconds)}; see `limits` in .samoloop.yaml"
        if outcome.result and not outcome.result.ok:
            return outcome.result.text or "the CLI reported an error"
        return f"the CLI ended with exit code {outcome.exit_code}"


def run(
    order: SkillOrder, config: Config, environ: Mapping[str, str], on_events: Callable[[list[Event]], None]
) -> Report:
    """Start the child, hand on what it does, sweep up behind it. Raises ProviderError where it cannot be started."""
    if order.provider == "demo":
        raise UsageError("the provider demo plays sessions from a script and cannot run a skill: name a real CLI")
    provider = launching.provider_of(config, order.provider, environ)
    places = _document_places(order.where)
    before = _documents(places)
    with _folder(order) as folder, _stopping() as stop:

        def take(events: list[Event]) -> None:
            try:
                on_events(events)
            except BrokenPipeError:  # nobody reads any more; an exception here would leave the child alone
                stop.ask_now()

        ran = run_child(
            _request(order, config, environ, folder.path),
            provider,
            config.limits,
            lock=folder.path / "_child.lock",
            marker=folder.path.name,
            on_events=take,
            stop=stop,
            around=lambda launch: box.put_around_project(config, order.where, environ, launch, folder.path),
        )
        documents = tuple(sorted(path for path, at in _documents(places).items() if before.get(path) != at))
        report = Report(ran.outcome, documents, folder.path, tuple(ran.ended.left))
        folder.keep = report.exit_code not in (0, 130)
        return report if folder.keep else replace(report, logs=None)


def _request(order: SkillOrder, config: Config, environ: Mapping[str, str], folder: Path) -> Request:
    stem = folder / "_logs" / f"001-{order.skill.name}"
    stem.parent.mkdir()
    request = launching.request_for(
        config,
        _NO_PHASE,
        order.provider,
        stem=stem,
        session_dir=folder,
        worktree=order.where,
        title=f"skill {order.skill.name}",
        offered=[order.skill.name],
        environ=environ,
    )
    write_anew(request.prompt, prompt(order))
    return request


def prompt(order: SkillOrder) -> str:
    """What the child is told: the skill's text itself, so that a CLI without skills of its own will do."""
    topic = order.topic.strip() or "the project in this folder, as it is"
    quoted = "\n".join(f"> {line}".rstrip() for line in topic.splitlines())
    named = sorted(name for name in order.skill.files if name != "SKILL.md")
    more = f"\n\nThe files that it names ({', '.join(named)}) are in `{order.skill.folder}`." if named else ""
    return (
        f"Carry out the skill below in the folder `{order.where}`. The topic, in the words of the person who asks:\n\n"
        f"{quoted}\n\n"
        "Nobody is at the keyboard: use non-interactive commands. Where the skill would ask in a conversation, take "
        "the likelier reading and say so; where asking is its work, write the questions down as it says and stop. "
        "Write the document that it names, in the folder that it names. End every process that you start. Your last "
        "message is what the person reads: the answer in a few lines, and the path of the document."
        f"{more}\n\n---\n\n{order.skill.body.strip()}\n"
    )


def _document_places(where: Path) -> list[Path]:
    """Where the skills put their documents: here or in `docs/`, of this folder or of the project around it."""
    roots = dict.fromkeys([where, find_root(where) or where])
    return [place for root in roots for place in (root, root / "docs")]


def _documents(places: Iterable[Path]) -> dict[Path, int]:
    """The documents there, and when each was last written."""
    found = {}
    for place in places:
        for path in place.glob("*.md"):
            if _DOCUMENT.fullmatch(path.name) and path.is_file():
                found[path] = path.stat().st_mtime_ns
    return found


@dataclass
class _Folder:
    """The child's folder for logs and settings, which goes with the run unless it shall be kept."""

    path: Path
    keep: bool = False


@contextmanager
def _folder(order: SkillOrder) -> Iterator[_Folder]:
    folder = _Folder(Path(tempfile.mkdtemp(prefix=f"samoloop-{order.skill.name}-")).resolve())
    try:
        with Lock.take(folder.path / LOCK, 0, ""):  # by which what comes back to this process is known for a child's
            yield folder
    finally:
        if not folder.keep:
            remove(folder.path)


@contextmanager
def _stopping() -> Iterator[StopRequest]:
    """Ctrl-C, a closed terminal and SIGTERM end the child; afterwards they mean again what they meant before."""
    stop = StopRequest()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.ask_now()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
