"""Keep the machine from idle sleep while children work, where the system has a way; a no-op elsewhere."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

_NEEDED = ("PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS")


class Awake:
    """Holds off idle sleep between `on` and `off`. Ends with this process, however that ends."""

    def __init__(self, wanted: bool) -> None:
        self._argv = _command() if wanted else None
        self._process: subprocess.Popen[bytes] | None = None

    def on(self) -> None:
        """From now on the machine stays awake."""
        if self._argv and self._process is None:
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(
                    self._argv,
                    stdin=subprocess.PIPE,  # closed by the kernel when we die, which ends the holder
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={name: os.environ[name] for name in _NEEDED if name in os.environ},  # others can read it
                    start_new_session=True,
                )

    def off(self) -> None:
        """The machine may sleep."""
        process, self._process = self._process, None
        if process is not None:
            _close(process.stdin)
            process.terminate()
            process.wait()


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def _command() -> list[str] | None:
    """A program that holds off idle sleep until its standard input ends; None where there is none."""
    if sys.platform == "darwin":
        found = shutil.which("caffeinate")
        return [found, "-i", "-w", str(os.getpid())] if found else None
    found = shutil.which("systemd-inhibit")
    if found is None or not Path("/run/systemd/system").is_dir():
        return None
    why = ["--what=idle:sleep", "--who=samoloop", "--why=children are at work", "--mode=block"]
    return [found, *why, "cat"]
