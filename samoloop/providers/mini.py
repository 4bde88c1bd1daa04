"""mini-swe-agent: `mini -y --exit-immediately`.

Facts are from runs of version 2.4.6. It takes its task as an argument only, so that names the prompt's file; what it
prints is for people, and its record is a trajectory file, which it writes anew after every step.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samoloop.base.errors import ProviderError
from samoloop.base.files import read_plain
from samoloop.core.events import Event, Failure, Result, Started, Text, Trouble, Usage
from samoloop.core.permissions import Access, Permissions
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.mcp import refuse_any
from samoloop.providers.program import Program, ProviderSettings, installed_at, not_found, older, version_of
from samoloop.providers.reading import (
    amount,
    count,
    ended_by_signal,
    mapping,
    message,
    objects,
    parse_object,
    text,
    total,
    unfinished,
)

OLDEST = (2, 4)
_INSTALL = "pipx install mini-swe-agent && pipx inject mini-swe-agent mcp"  # without mcp every model call fails
TRAJECTORY_LIMIT = 64_000_000  # bytes; a longer one is not read

_ENVIRONMENT = {
    "MSWEA_CONFIGURED": "true",  # else it asks for a model on a terminal
    "MSWEA_SILENT_STARTUP": "1",
    "MSWEA_COST_TRACKING": "ignore_errors",  # a model without a known price is no error
    "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "2",  # 10 by default: over four silent minutes; the worker retries visibly
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else the price list is fetched at every start
    "COLUMNS": "200",  # for the log
}
_UNSET = ("MSWEA_MINI_CONFIG_PATH", "MSWEA_CONFIG_DIR")  # the person's own configuration
_COMMAND_SECONDS = 3_600  # 30 by default, which no test suite knows; the worker's own limits hold


class MiniProvider:
    """mini-swe-agent."""

    name = "mini"
    program = "mini"
    login_command = "mini-extra config setup"
    interrupt_first = False
    starts_at_once = True
    has_result = False

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._settings = ProviderSettings(**settings)
        self._environ = environ
        self._program = Program(self.name, self._settings.path, None, _INSTALL)

    def launch(self, request: Request) -> Launch:
        if request.permissions is not Permissions.FULL:
            raise ProviderError("mini has no restrained mode; use permissions: full or another provider.")
        refuse_any(request, self.name)
        argv = [self._program.require(self._environ), "-y", "--exit-immediately"]
        argv += ["-c", "mini.yaml", "-c", f"environment.timeout={_COMMAND_SECONDS}"]
        if request.model:
            argv += ["-m", request.model]
        argv += ["-o", str(_trajectory(request)), *self._settings.args]
        argv += ["-t", f"Read all of the file {request.prompt} and do what it says."]
        runs = _trajectory(request).parent
        runs.mkdir(parents=True, exist_ok=True)
        person = {**request.environ, **self._settings.env}
        needs = installed_at(argv[0], person) | {runs: Access.WRITE, _own(person): Access.READ}
        return Launch(argv, _ENVIRONMENT | dict(self._settings.env), _UNSET, prompt_on_stdin=False, needs=needs)

    def reader(self, request: Request) -> "MiniReader":
        return MiniReader(_trajectory(request), request.model)

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        program = self._program.find(environ)
        if program is None:
            return not_found(self._program, environ)
        loud = {name: value for name, value in environ.items() if name != "MSWEA_SILENT_STARTUP"}
        version = version_of(program, loud)  # it has no such switch, but says its version at every start
        advice = ""
        if older(version, OLDEST):
            advice = f"Version {version} is older than what samoloop was tried with; update mini-swe-agent."
        leak = "The variables in mini-swe-agent's own .env reach a child: its keys are there too."
        return Checkup(program, version, None, (leak,), advice)


def _trajectory(request: Request) -> Path:
    return request.stem.parent / "mini-runs" / f"{request.stem.name}.traj.json"


def _own(environ: Mapping[str, str]) -> Path:
    """Its own settings, keys too."""
    home = Path(environ.get("HOME", "~"))
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "mini-swe-agent")
    return Path(environ.get("MSWEA_GLOBAL_CONFIG_DIR") or config).expanduser()


class MiniReader:
    """Shows what the run prints; what counts is read from the trajectory at the end."""

    # The last line of an exception's report: its class, and what it says.
    _EXCEPTION = re.compile(r"^(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|Timeout)): (.*)$")

    def __init__(self, trajectory: Path, model: str | None) -> None:
        self._trajectory = trajectory
        self._model = model
        self._started = False

    def feed(self, line: bytes) -> list[Event]:
        words = line.decode("utf-8", "replace").strip()
        if not words:
            return []
        started: list[Event] = [] if self._started else [Started()]
        self._started = True
        return [*started, Text(words)]

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        record = self._read()
        info = mapping(record, "info")
        status, words = text(info, "exit_status"), text(info, "submission")
        events: list[Event] = [_usage(record, self._model)] if record else []
        if status == "Submitted":
            return [*events, Result(True, words)]
        if ended_by_signal(exit_code):
            return events
        if exit_code == 0 and status:  # a limit, or three answers without a command
            words = f"mini-swe-agent stopped with {status}"
            return [*events, Failure(Trouble.OTHER, words), Result(False, words)]
        return [*events, *self._failures(status, _exception(record), exit_code, stderr_tail)]

    def _read(self) -> dict[str, object]:
        try:
            found = read_plain(self._trajectory, TRAJECTORY_LIMIT)
        except ValueError:
            return {}
        return (parse_object(found) or {}) if found else {}

    def _failures(self, status: str, words: str, exit_code: int | None, stderr_tail: str) -> list[Event]:
        """The failure behind an exception: class and words are in the trajectory, else they end standard error."""
        last = next((line for line in reversed(stderr_tail.splitlines()) if line.strip()), "")
        exception = self._EXCEPTION.match(last)
        name = status or (exception[1] if exception else "")
        if not name:
            return unfinished("mini", exit_code, stderr_tail)
        words = words or (exception[2] if exception else name)
        trouble = Trouble.NETWORK if words.endswith(_UNREACHABLE) else _CLASSES.get(name, Trouble.OTHER)
        return [Failure(trouble, message(words))]


# litellm calls an endpoint that cannot be reached an InternalServerError too; these are the words of its openai client.
_UNREACHABLE = "OpenAIException - Connection error."
# The classes of litellm, through which mini-swe-agent speaks to every model.
_CLASSES = {
    "AuthenticationError": Trouble.LOGIN,
    "PermissionDeniedError": Trouble.LOGIN,
    "BudgetExceededError": Trouble.BILLING,
    "RateLimitError": Trouble.RATE,
    "InternalServerError": Trouble.OVERLOAD,
    "ServiceUnavailableError": Trouble.OVERLOAD,
    "APIConnectionError": Trouble.NETWORK,
    "Timeout": Trouble.NETWORK,
    "NotFoundError": Trouble.MODEL,
    "ContextWindowExceededError": Trouble.CONTEXT,
}


def _exception(record: dict[str, object]) -> str:
    """What the exception that ended the run says; on standard error it is wrapped at the width of a terminal."""
    said = [text(mapping(entry, "extra"), "exception_str") for entry in objects(record, "messages")]
    return said[-1].strip() if said else ""


def _usage(record: dict[str, object], model: str | None) -> Usage:
    """The sum over all answers. A cost of 0 means that no price is known."""
    used = [mapping(entry, "extra", "response", "usage") for entry in objects(record, "messages")]
    return Usage(
        input_tokens=total(*(count(usage, "prompt_tokens") for usage in used)),
        output_tokens=total(*(count(usage, "completion_tokens") for usage in used)),
        cached_tokens=total(*(count(mapping(usage, "prompt_tokens_details"), "cached_tokens") for usage in used)),
        cost_usd=amount(mapping(record, "info", "model_stats"), "instance_cost") or None,
        model=model or text(mapping(record, "info", "config", "model"), "model_name") or None,
    )
