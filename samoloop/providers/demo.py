"""The scripted child that ships with the package: a real process, no model, no network, no cost."""

import sys
from collections.abc import Mapping

from samoloop import __version__
from samoloop.base.errors import ProviderError
from samoloop.core.events import Event, Result, Started, Text, Tool, Usage
from samoloop.demo.events import PACE
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.reading import amount, count, one_line, parse_object, text, unfinished

_DEFAULT_SCENARIO = "anywhere"


class DemoProvider:
    """`python -m samoloop.demo.child`. Setting `scenario`: the name of an example, or a Python file."""

    name = "demo"
    program = "python"
    login_command = ""
    interrupt_first = False
    starts_at_once = True
    has_result = True

    def __init__(self, settings: Mapping[str, object], environ: Mapping[str, str]) -> None:
        scenario = settings.get("scenario", _DEFAULT_SCENARIO)
        unknown = sorted(set(settings) - {"scenario"})
        if unknown or not isinstance(scenario, str) or not scenario:
            raise ProviderError(
                f"providers.demo cannot be used: {unknown or repr(scenario)}; it takes only "
                "scenario: the name of an example (samoloop example list) or a Python file."
            )
        self._scenario = scenario
        self._pace = environ.get(PACE, "")

    def launch(self, request: Request) -> Launch:
        # -P: the worktree is the working folder, and its modules must not be taken for ours
        argv = [sys.executable, "-P", "-m", "samoloop.demo.child", self._scenario]
        return Launch(argv, env={PACE: self._pace} if self._pace else {})

    def reader(self, request: Request) -> "DemoReader":
        return DemoReader()

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        return Checkup(sys.executable, __version__, logged_in=True)


class DemoReader:
    """Reads the events of `samoloop.demo.events`."""

    def __init__(self) -> None:
        self._ended = False

    def feed(self, line: bytes) -> list[Event]:
        event = parse_object(line)
        if event is None:
            return []
        match event.get("event"):
            case "started":
                return [Started(text(event, "session_id") or None)]
            case "text":
                return [Text(text(event, "text"))]
            case "tool":
                running, ok = event.get("running") is True, event.get("ok") is not False
                return [Tool(text(event, "id"), text(event, "name"), one_line(text(event, "detail")), running, ok)]
            case "usage":
                tokens = count(event, "input_tokens"), count(event, "output_tokens")
                return [Usage(*tokens, cost_usd=amount(event, "cost_usd"), model=text(event, "model") or None)]
            case "result":
                self._ended = True
                return [Result(event.get("ok") is True, text(event, "text"))]
        return []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        return [] if self._ended else [*unfinished("the scripted child", exit_code, stderr_tail)]
