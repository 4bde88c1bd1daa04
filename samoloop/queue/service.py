"""Run `samoloop up` after login or reboot: a systemd user unit, or a launchd agent on macOS."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path

from samoloop.base.errors import SamoloopError
from samoloop.base.files import write_atomic

UNIT = "samoloop.unattended.service"
LABEL = "io.samoloop.up"


def unit_path(environ: Mapping[str, str]) -> Path:
    """Where the unit or agent is kept."""
    home = Path(environ.get("HOME") or "~").expanduser()
    if sys.platform == "darwin":
        return home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    base = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return base / "systemd" / "user" / UNIT


def unit_text(environ: Mapping[str, str], jobs: int, keep_awake: bool) -> str:
    """The systemd unit. It kills only `up` itself: workers and children go on, and are found again."""
    words = [sys.executable, "-m", "samoloop", "up", "--jobs", str(jobs), *([] if keep_awake else ["--allow-sleep"])]
    command = " ".join(_quoted(word) for word in words)
    return (
        "[Unit]\n"
        "Description=samoloop: go on with unfinished sessions\n"
        "After=network-online.target\n\n"
        "[Service]\n"
        f"ExecStart={command}\n"
        f"Environment={_quoted('PATH=' + environ.get('PATH', ''))}\n"
        "KillMode=process\n"
        "Restart=on-failure\n"
        "RestartSec=30\n\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def _quoted(word: str) -> str:
    """A word as systemd reads it: quoted, without its % and $ meanings."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"'


def agent_text(environ: Mapping[str, str], jobs: int, keep_awake: bool) -> str:
    """The launchd agent; AbandonProcessGroup is what KillMode=process is to systemd."""
    words = [sys.executable, "-m", "samoloop", "up", "--jobs", str(jobs), *([] if keep_awake else ["--allow-sleep"])]
    arguments = "".join(f"<string>{escape(word)}</string>" for word in words)
    path = f"<dict><key>PATH</key><string>{escape(environ.get('PATH', ''))}</string></dict>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
        f'<plist version="1.0"><dict><key>Label</key><string>{LABEL}</string>\n'
        f"<key>ProgramArguments</key><array>{arguments}</array>\n"
        f"<key>EnvironmentVariables</key>{path}\n"
        "<key>RunAtLoad</key><true/><key>AbandonProcessGroup</key><true/>\n"
        "<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict></dict></plist>\n"
    )


def install(environ: Mapping[str, str], jobs: int, keep_awake: bool) -> list[str]:
    """Write the unit and start it; sentences that say what was done and what is left to do.

    Raises SamoloopError where the service manager refuses; the unit stays.
    """
    path = unit_path(environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    mac = sys.platform == "darwin"
    write_atomic(path, (agent_text if mac else unit_text)(environ, jobs, keep_awake))
    enable = ["launchctl", "load", "-w", str(path)] if mac else ["systemctl", "--user", "enable", "--now", UNIT]
    try:
        reloaded = [] if mac else _run(["systemctl", "--user", "daemon-reload"], "", environ)
        lines = [f"Wrote {path}.", *reloaded, *_run(enable, "It runs now and after each login.", environ)]
    except SamoloopError as error:
        raise SamoloopError(f"{path} is written, but it does not run: {error}") from None
    if mac:
        return lines
    return [*lines, "To have it run without a login, after a reboot: loginctl enable-linger"]


def uninstall(environ: Mapping[str, str]) -> list[str]:
    """Stop and remove it; workers and sessions stay as they are."""
    path = unit_path(environ)
    if not path.exists():
        return [f"There is no {path}; nothing to remove."]
    mac = sys.platform == "darwin"
    argv = ["launchctl", "unload", "-w", str(path)] if mac else ["systemctl", "--user", "disable", "--now", UNIT]
    try:
        lines = _run(argv, "", environ)
    except SamoloopError as error:
        lines = [str(error)]
    path.unlink()
    return [*lines, f"Removed {path}."]


def status(environ: Mapping[str, str]) -> list[str]:
    """Whether it is installed, and what the system says of it."""
    path = unit_path(environ)
    if not path.exists():
        return [f"Not installed: there is no {path}. Install it with: samoloop service install"]
    argv = ["launchctl", "list", LABEL] if sys.platform == "darwin" else ["systemctl", "--user", "is-active", UNIT]
    program = shutil.which(argv[0], path=environ.get("PATH"))
    if program is None:
        return [f"Installed in {path}, but there is no {argv[0]} here to ask."]
    done = subprocess.run(
        [program, *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20
    )
    return [f"Installed in {path}.", f"{argv[0]} says: {(done.stdout or done.stderr).strip() or done.returncode}"]


def _run(argv: list[str], success: str, environ: Mapping[str, str]) -> list[str]:
    """Run one command of the service manager; what is to be said. Raises SamoloopError where it fails."""
    program = shutil.which(argv[0], path=environ.get("PATH"))
    if program is None:
        return [f"There is no {argv[0]} here; when there is: {' '.join(argv)}"]
    try:
        done = subprocess.run(
            [program, *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
        )
    except subprocess.TimeoutExpired:
        raise SamoloopError(f"`{' '.join(argv)}` did not answer in 30 s; try it by hand") from None
    if done.returncode:
        raise SamoloopError(f"`{' '.join(argv)}` failed: {(done.stderr or done.stdout).strip()}")
    return [success] if success else []
