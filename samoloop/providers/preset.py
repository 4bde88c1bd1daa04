"""A CLI that is known as data: see `config.presets`. Its lines are put into the form that `custom` reads."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samoloop.base.errors import ProviderError
from samoloop.base.files import put_folder
from samoloop.config.presets import Line, Preset, load
from samoloop.core.events import Event
from samoloop.core.permissions import Access, Permissions
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.custom import CustomReader, fill
from samoloop.providers.mcp import refuse_any, servers_of
from samoloop.providers.program import (
    Program,
    ProviderSettings,
    installed_at,
    link,
    link_each,
    not_found,
    version_of,
)
from samoloop.providers.reading import count, ended_by_signal, objects, parse_object, status_trouble, tool_detail

_LAST_LINES = 5  # of standard error, where a CLI's own last words stand


class PresetProvider:
    """A CLI of which a file says what it needs."""

    interrupt_first = False

    def __init__(self, name: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.name = name
        self._preset = load(name)
        self._settings = ProviderSettings(**settings)
        self._environ = environ
        self._program = Program(name, self._settings.path or self._preset.program, None, self._preset.install)
        self.program = self._preset.program
        self.login_command = self._preset.login
        given = {line.gives["type"] for line in self._preset.lines}
        self.starts_at_once = "started" in given
        self.has_result = "result" in given

    def launch(self, request: Request) -> Launch:
        preset, person = self._preset, {**request.environ, **self._settings.env}
        own = request.stem.parent / self.name
        program = self._program.require(self._environ)
        if not preset.mcp:
            refuse_any(request, self.name)
        servers = servers_of(request)
        values = {
            "model": request.model or "",
            "session_dir": str(request.session_dir),
            "mcp_config": str(servers.file),
            "mcp_names": ",".join(request.mcp),
            "own": str(own),
        }
        argv = [*preset.arguments, *self._permissions(request)]
        argv += preset.model if request.model else ()
        argv += preset.mcp if request.mcp else ()
        argv += preset.skills if request.skills else ()
        argv = [program, *(fill(word, values) for word in argv), *self._settings.args, *preset.last]
        env = {name: fill(value, values) for name, value in preset.env.items()}
        self._write(request, own, person)
        folders = {_at(path, person): Access(access) for path, access in preset.folders.items()}
        needs = {**installed_at(program, person), own: Access.WRITE, **folders, **servers.needs}
        return Launch(
            argv,
            env | dict(self._settings.env),
            prompt_on_stdin=preset.prompt == "stdin",
            prompt_as_argument=preset.prompt == "arg",
            needs=needs,
        )

    def reader(self, request: Request) -> "PresetReader":
        return PresetReader(self.name, self._preset)

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        program = self._program.find(environ)
        if program is None:
            return not_found(self._program, environ)
        tried = f"Tried with {self._preset.tried}" if self._preset.tried else "Known from its documents, untried"
        reaches = self._preset.reaches.replace("`", "")
        leak = f"{tried}; of your own set-up reaches a child: {reaches}."
        return Checkup(program, version_of(program, environ), leaks=(leak,))

    def _permissions(self, request: Request) -> list[str]:
        if request.permissions is Permissions.FULL:
            return list(self._preset.full)
        if not self._preset.edits:
            raise ProviderError(f"{self.name} has no restrained mode; use permissions: full or another provider.")
        return list(self._preset.edits)

    def _write(self, request: Request, own: Path, person: Mapping[str, str]) -> None:
        """The CLI's folder in the session: its home, with the person's login, and the skills."""
        home, skills = self._preset.home, request.skills
        try:
            put_folder(own)
            if home:
                put_folder(own / "home")
                theirs = Path(person.get(home.variable) or _at(home.of, person))
                for name in home.login:
                    if (theirs / name).is_file():
                        link(own / "home" / name, (theirs / name).absolute())
            if skills and self._preset.skill_folder:
                place = own / self._preset.skill_folder
                place.parent.mkdir(parents=True, exist_ok=True)
                link_each(place, skills.absolute(), request.offered)
        except OSError as error:
            raise ProviderError(f"The folder of {self.name} cannot be written to {own}: {error.strerror}.") from error


def _at(path: str, environ: Mapping[str, str]) -> Path:
    return Path(path.replace("~", environ.get("HOME") or "~", 1)).expanduser()


class PresetReader(CustomReader):
    """Reads lines by the rules of a preset."""

    def __init__(self, name: str, preset: Preset) -> None:
        super().__init__(name, jsonl=bool(preset.lines))
        self._preset = preset
        self._tools: dict[str, dict[str, object]] = {}  # by id: what a call said of itself

    def feed(self, line: bytes) -> list[Event]:
        said = parse_object(line) if self._preset.lines else None
        if said is None:
            return super().feed(line)
        return [event for given in self._given(said) for event in super(PresetReader, self).feed(_written(given))]

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        if exit_code and not ended_by_signal(exit_code):
            for line in stderr_tail.splitlines()[-_LAST_LINES:]:
                if not self.ended and (trouble := self._trouble_of(line.strip())):
                    return super().feed(_written({"type": "error", "trouble": trouble, "message": line.strip()}))
        return super().finish(exit_code, stderr_tail)

    def _given(self, said: dict[str, object]) -> Iterator[dict[str, object]]:
        for rule in self._preset.lines:
            items = list(_objects_at(said, rule.each)) if rule.each else [said]
            for item in items:
                around = {**said, "item": item} if rule.each else said
                if _fits(rule, around):
                    yield from self._one(rule, around)

    def _one(self, rule: Line, said: dict[str, object]) -> Iterator[dict[str, object]]:
        given = {**rule.gives, **{name: _found(said, place) for name, place in rule.take.items()}}
        match given["type"]:
            case "text" if not given.get("text"):
                return
            case "tool":
                given["detail"] = _detail(given.get("detail"))
                key = str(given.get("id"))
                if given.get("running"):
                    self._tools[key] = given
                else:
                    started = self._tools.pop(key, {})
                    given = {**given, "name": given.get("name") or started.get("name"), "detail": started.get("detail")}
            case "denied":
                given["detail"] = _detail(given.get("detail"))
            case "error":
                status = count(given, "status")
                told = self._preset.troubles.get(str(given.get("trouble"))) or self._trouble_of(
                    str(given.get("message"))
                )
                given["trouble"] = told or status_trouble(status)
        yield given

    def _trouble_of(self, words: str) -> str | None:
        return next((trouble for start, trouble in self._preset.begins.items() if words.startswith(start)), None)


def _written(given: dict[str, object]) -> bytes:
    return json.dumps(given).encode()


def _fits(rule: Line, said: dict[str, object]) -> bool:
    if any(_found(said, place) != value for place, value in rule.when.items()):
        return False
    return not rule.unless or any(_found(said, place) != value for place, value in rule.unless.items())


def _found(said: object, place: str) -> object:
    """What stands at a place; None where nothing does."""
    for name in place.split("."):
        said = said.get(name) if isinstance(said, dict) else None
    return said


def _objects_at(said: dict[str, object], place: str) -> Iterator[dict[str, object]]:
    above, _, name = place.rpartition(".")
    found = _found(said, above) if above else said
    return objects(found, name) if isinstance(found, dict) else iter(())


def _detail(arguments: object) -> str:
    """The most telling argument of a call, which may be an object or its JSON text."""
    if isinstance(arguments, str):
        arguments = parse_object(arguments.encode("utf-8", "replace")) or arguments
    return tool_detail(arguments) if isinstance(arguments, dict) else str(arguments or "")
