"""Is everything there that a session needs? Looks, asks CLIs and bot who they are, calls no model, mends nothing."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from samoloop import providers
from samoloop.base.errors import ConfigError, SamoloopError, sentence
from samoloop.base.places import state_folder
from samoloop.base.values import frozen
from samoloop.config import loading, mcp, samocode, workflow_files
from samoloop.config.keys import KNOWN
from samoloop.config.loading import Config
from samoloop.core.permissions import Permissions, SandboxMode
from samoloop.git.calls import OLDEST
from samoloop.git.checkout import locate
from samoloop.git.repo import Repo
from samoloop.providers.base import Checkup
from samoloop.providers.program import ask, older, version_of
from samoloop.worker.launching import child_environment

_SCARCE_BYTES, _FULL_BYTES = 1 << 30, 100 << 20
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs", "davfs")


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"  # works, but not as well as it could
    PROBLEM = "problem"  # a session would fail


@frozen
class Diagnosis:
    """One thing that was looked at."""

    area: str  # git, settings, claude, ...
    level: Level
    text: str
    advice: str = ""  # what to do


def examine(root: Path | None, environ: Mapping[str, str]) -> list[Diagnosis]:
    """Everything, for the project at `root`; None where the command is in none."""
    findings = [*_python(), *_git(root, environ), *_repository(root)]
    try:
        settings = loading.load(root or Path.cwd(), environ)
    except ConfigError as error:
        findings += _config_problems(error)
        settings = Config(root=root or Path.cwd())
    else:
        findings.append(_sources(settings))
    clis = _clis(settings, environ)
    installed = dict.fromkeys(one.area for one in clis if one.level is Level.OK and one.area != "demo")
    for said in samocode.unread(settings.root, environ):
        findings.append(Diagnosis("samocode", Level.WARNING, said, "Say it in the new word, or unset it."))
    return [
        *findings,
        *_workflow(settings),
        *_folders(settings, environ, in_project=root is not None),
        *clis,
        *_mcp(settings, environ),
        *_telegram(settings, environ),
        *_desktop(settings, environ),
        *_sandbox(settings, environ, installed),
    ]


def _desktop(settings: Config, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    if not settings.outlets.desktop:
        return
    program = "osascript" if sys.platform == "darwin" else "notify-send"
    if shutil.which(program, path=environ.get("PATH")):
        yield Diagnosis("desktop", Level.OK, f"notices by {program}")
    else:
        advice = "Install it (libnotify-bin, libnotify), or take `announce: desktop` out of your settings."
        yield Diagnosis("desktop", Level.WARNING, f"{program} is not on PATH, so no notice is shown", advice)


def _python() -> Iterator[Diagnosis]:
    yield Diagnosis("python", Level.OK, f"{platform.python_version()}, {sys.executable}")


def _git(root: Path | None, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    program = shutil.which("git", path=environ.get("PATH"))
    if program is None:
        yield Diagnosis("git", Level.PROBLEM, "git is not on PATH", "Install git.")
        return
    version = version_of(program, environ)
    if older(version, OLDEST):
        yield Diagnosis("git", Level.WARNING, f"{version} is old", f"Update git to {'.'.join(map(str, OLDEST))}.")
    where = [program, "-C", str(root or Path.cwd()), "config", "--get"]
    name, email = (_answer([*where, key], environ) for key in ("user.name", "user.email"))
    if name and email:
        yield Diagnosis("git", Level.OK, f"{version}, commits as {name} <{email}>")
    else:
        advice = 'For commits in your name: git config --global user.name "..." and user.email "..."'
        yield Diagnosis("git", Level.WARNING, f"{version}, has no name and e-mail of yours", advice)


def _answer(argv: list[str], environ: Mapping[str, str]) -> str:
    answer = ask(argv, environ)
    return answer[1].strip() if answer and answer[0] == 0 else ""


def _repository(root: Path | None) -> Iterator[Diagnosis]:
    if root is None:
        advice = "Go to your project; or, without git, start with `samoloop run --in-place`."
        yield Diagnosis("repository", Level.WARNING, f"{Path.cwd()} is in no project", advice)
        return
    try:
        repo = Repo.find(root)
        yield Diagnosis(
            "repository", Level.OK, f"{repo.root}, a session would start {repo.head_line(repo.resolve('HEAD'))}"
        )
    except SamoloopError as error:
        if locate(root) is None:
            advice = "`samoloop run --in-place` works without; for a branch and a worktree a session: git init."
            yield Diagnosis("repository", Level.NOTE, f"{root} is in no git repository", advice)
        else:
            yield Diagnosis("repository", Level.PROBLEM, str(error))


def _config_problems(error: ConfigError) -> Iterator[Diagnosis]:
    for line in str(error).splitlines()[1:]:
        yield Diagnosis(
            "settings", Level.PROBLEM, line.removeprefix("  - "), "Correct it; `samoloop init` shows every key."
        )


def _sources(settings: Config) -> Diagnosis:
    if not settings.sources:
        return Diagnosis("settings", Level.OK, "no file, so everything is as it is by default")
    return Diagnosis("settings", Level.OK, ", ".join(map(str, settings.sources)))


def _workflow(settings: Config) -> Iterator[Diagnosis]:
    try:
        workflow = workflow_files.load(settings.workflow, settings.root)
        yield Diagnosis("workflow", Level.OK, f"{workflow.name}: {' → '.join(workflow.names)}")
    except ConfigError as error:
        advice = "See `samoloop workflows list` and `samoloop workflows check`."
        yield Diagnosis("workflow", Level.PROBLEM, str(error), advice)
        return
    for name in settings.phases:
        if name not in workflow.names:
            advice = f"Its phases are {', '.join(workflow.names)}."
            yield Diagnosis(
                "workflow", Level.WARNING, f"phases names {name}, which {workflow.name} does not have", advice
            )


def _folders(settings: Config, environ: Mapping[str, str], *, in_project: bool) -> Iterator[Diagnosis]:
    places = {"state": state_folder(environ)}
    if in_project:
        places = {"sessions": settings.sessions_dir, "worktrees": settings.worktrees_dir, **places}
    for name, folder in places.items():
        trouble = _not_writable(folder)
        kind = file_system(folder)
        if trouble:
            yield Diagnosis(
                name, Level.PROBLEM, f"{folder}: {trouble}", "Make it writable, or name another in the settings."
            )
        elif kind.startswith(_NETWORK_FILE_SYSTEMS):
            advice = "Locks and notices of changes are not reliable there; a local folder is."
            yield Diagnosis(name, Level.WARNING, f"{folder} is on a network file system ({kind})", advice)
        else:
            yield Diagnosis(name, Level.OK, f"{folder}" + (f" ({kind})" if kind else ""))
    if in_project:
        yield _disk(settings.root)


def _disk(root: Path) -> Diagnosis:
    free = shutil.disk_usage(root).free
    text = f"{free / 1e9:.1f} GB free"
    if free < _FULL_BYTES:
        return Diagnosis("disk", Level.PROBLEM, text, "Make room: sessions, worktrees and builds will fail.")
    if free < _SCARCE_BYTES:
        return Diagnosis("disk", Level.WARNING, text, "Each session needs a worktree and its build; make room.")
    return Diagnosis("disk", Level.OK, text)


def _not_writable(folder: Path) -> str:
    """Why nothing can be written there or, where it is yet to be made, above it; empty where it can."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _existing(folder: Path) -> Path:
    return next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, or would be; empty where the system does not tell."""
    target = _existing(folder).resolve()
    found, longest = "", -1
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="surrogateescape")
    except OSError:
        return ""
    for line in mounts.splitlines():
        point, kind = line.split()[1:3]
        mount = Path(point.replace("\\040", " ").replace("\\011", "\t"))
        if target.is_relative_to(mount) and len(mount.parts) > longest:
            found, longest = kind, len(mount.parts)
    return found


def _clis(settings: Config, environ: Mapping[str, str]) -> list[Diagnosis]:
    """Every CLI: those that the settings name must be there, the others are mentioned."""
    named = {settings.provider, *(phase.provider for phase in settings.phases.values() if phase.provider)}
    spare = {*settings.fallback, *(name for phase in settings.phases.values() for name in phase.fallback or ())}
    names = [*dict.fromkeys((settings.provider, *sorted(named), *sorted(spare), *KNOWN, *settings.providers))]
    with ThreadPoolExecutor(max_workers=4) as pool:
        checkups = dict(zip(names, pool.map(lambda name: _checkup(name, settings, environ), names), strict=True))
    findings: list[Diagnosis] = []
    absent = []
    for name, found in checkups.items():
        if isinstance(found, Checkup) and found.found is None and name not in named | spare:
            absent.append(name)
        else:
            broken = Level.PROBLEM if name in named else Level.WARNING if name in spare else Level.NOTE
            findings += _cli(name, found, broken)
    if absent:
        findings.append(Diagnosis("others", Level.NOTE, f"not installed, and not needed: {', '.join(absent)}"))
    return findings


def _checkup(name: str, settings: Config, environ: Mapping[str, str]) -> Checkup | SamoloopError:
    try:
        return providers.get(name, settings.provider_settings(name), environ).checkup(environ)
    except SamoloopError as error:
        return error


def _cli(name: str, found: Checkup | SamoloopError, broken: Level) -> Iterator[Diagnosis]:
    if isinstance(found, SamoloopError):
        yield Diagnosis(name, broken, str(found))
    elif found.found is None:
        yield Diagnosis(name, broken, "not installed", found.advice)
    elif name == "demo":
        yield Diagnosis(name, Level.OK, "comes with samoloop; a script, so no model is asked")
    else:
        login = {True: ", logged in", False: ", not logged in", None: ", login not known before the first call"}
        text = f"{found.version or 'version unknown'}, {found.found}{login[found.logged_in]}"
        level = broken if found.logged_in is False else Level.WARNING if found.advice else Level.OK
        yield Diagnosis(name, level, text, found.advice)
        for leak in found.leaks:
            yield Diagnosis(name, Level.NOTE, leak)


def _mcp(settings: Config, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Whether the programs of the MCP servers that are let in are there; none is started."""
    names = [*settings.mcp, *(name for phase in settings.phases.values() for name in phase.mcp or ())]
    given = child_environment(settings, environ)
    try:
        servers = mcp.let_in(names, settings.mcp_servers, settings.root, given)
    except ConfigError as error:
        yield Diagnosis("mcp", Level.PROBLEM, str(error))
        return
    for name, server in servers.items():
        found = shutil.which(server.command[0], path=given.get("PATH"))
        if found:
            yield Diagnosis("mcp", Level.OK, f"{name}: {found}")
        else:
            advice = "Install it, or correct its command."
            yield Diagnosis("mcp", Level.WARNING, f"{name}: {server.command[0]!r} is no program", advice)


def _telegram(settings: Config, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    from samoloop.config import telegram_bot as telegram

    found, problems = telegram.parse(settings.telegram, environ)
    for problem in problems:
        yield Diagnosis("telegram", Level.PROBLEM, problem)
    if found:
        from samoloop.api import telegram_check

        try:
            checked = telegram_check.check(found, settings.telegram, environ)
        except OSError as error:
            yield Diagnosis(
                "telegram", Level.WARNING, f"nobody can listen: {sentence(error)}", "Make room, or let it be written."
            )
            return
        for problem in checked.problems:
            yield Diagnosis("telegram", Level.WARNING, problem)
        bot = f"@{checked.bot} answers, " if checked.bot else ""
        relay = (
            f"a relay runs (process {checked.relay.pid})" if checked.relay else "a session that works starts a relay"
        )
        yield Diagnosis("telegram", Level.OK, f"{bot}chat {found.chat}, {relay}", "To try it: samoloop telegram test")
    elif not problems:
        yield Diagnosis("telegram", Level.NOTE, "not set up", "To answer from your phone: samoloop telegram setup")


def _sandbox(settings: Config, environ: Mapping[str, str], clis: Iterable[str]) -> Iterator[Diagnosis]:
    """Which one there is, what each CLI has in it, what leaks into it; or what a child may do without."""
    mode = settings.sandboxing("").mode
    if mode is SandboxMode.OFF:
        yield from _no_sandbox(settings, environ, "off")
        return
    from samoloop.api import sandbox_check

    found = sandbox_check.find(settings, environ)
    if found.is_missing:
        level = Level.PROBLEM if mode is SandboxMode.REQUIRED else Level.WARNING
        yield Diagnosis("sandbox", level, found.text, found.advice)
        yield from _no_sandbox(settings, environ, "none")
        return
    yield Diagnosis("sandbox", Level.OK, found.text, "To look around in it: samoloop sandbox")
    for name in clis:
        yield Diagnosis(name, Level.OK, sandbox_check.of_cli(name, settings, environ))
    for text, advice in sandbox_check.leaks(settings, environ):
        yield Diagnosis("sandbox", Level.WARNING, text, advice)


def _no_sandbox(settings: Config, environ: Mapping[str, str], word: str) -> Iterator[Diagnosis]:
    if settings.permissions is not Permissions.FULL:
        yield Diagnosis(
            "sandbox", Level.OK, f"{word}; permissions: edits, so children work in their CLI's restrained mode"
        )
    elif _in_container(environ):
        yield Diagnosis("sandbox", Level.OK, f"{word}; permissions: full, inside a container")
    else:
        who = "root" if os.geteuid() == 0 else "you"
        advice = (
            "For a task or a repository that you do not trust: a container, a user of its own, or permissions: edits."
        )
        level = Level.WARNING if who == "root" else Level.NOTE
        yield Diagnosis("sandbox", level, f"{word}; permissions: full, so a child may run any command as {who}", advice)


def _in_container(environ: Mapping[str, str]) -> bool:
    return "container" in environ or any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


def broken(findings: Iterable[Diagnosis]) -> bool:
    """Whether a session would fail."""
    return any(finding.level is Level.PROBLEM for finding in findings)
