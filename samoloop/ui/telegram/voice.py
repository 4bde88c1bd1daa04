"""A voice message becomes words by a command that the person has chosen: within a time, and so many characters."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from samoloop.base.errors import SamoloopError, shown
from samoloop.ui.telegram.text import clean, shorten

SECONDS = 300.0
_MOST_BYTES = 16_000  # of words; what is longer is no answer
_SAID_BYTES = 2000  # of what it says of itself
_ENDING_SECONDS = 5.0  # for what was killed


class Unheard(SamoloopError):
    """The voice message did not become words: why, for the person."""


async def transcribe(command: Sequence[str], file: Path, environ: Mapping[str, str], seconds: float = SECONDS) -> str:
    """What the command prints of the file, which is its last argument. Raises Unheard."""
    environ = {name: value for name, value in environ.items() if not name.startswith("TELEGRAM_")}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, str(file), env=environ, cwd=file.parent, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise Unheard(f"{shown(command[0])} cannot be started: {getattr(error, 'strerror', None) or error}") from None
    assert process.stdout and process.stderr
    name = shown(command[0])
    try:
        async with asyncio.timeout(seconds):
            words, said = await asyncio.gather(_words(process), _end(process.stderr))
            code = await process.wait()
    except TimeoutError:
        raise Unheard(f"{name} took longer than {seconds:g} seconds") from None
    finally:
        if process.returncode is None:
            _kill(process)
            with suppress(TimeoutError):  # asyncio waits for the ends of the pipes, which nobody may have read to
                async with asyncio.timeout(_ENDING_SECONDS):
                    await asyncio.gather(_end(process.stdout), _end(process.stderr), process.wait())
    if len(words) > _MOST_BYTES:
        raise Unheard(f"{name} printed more than {_MOST_BYTES} bytes")
    if code:
        why = shorten(said.decode("utf-8", "replace"), 200)
        raise Unheard(f"{name} ended with {code}" + (f": {why}" if why else ""))
    text = clean(words.decode("utf-8", "replace")).strip()
    if not text:
        raise Unheard(f"{name} heard no words in it")
    return text


async def _words(process: asyncio.subprocess.Process) -> bytes:
    """What it prints; of one that prints too much, which is killed, as much as shows it."""
    assert process.stdout
    found = b""
    while data := await process.stdout.read(_MOST_BYTES):
        if len(found) <= _MOST_BYTES:
            found += data
            if len(found) > _MOST_BYTES:
                _kill(process)
    return found


def _kill(process: asyncio.subprocess.Process) -> None:
    """With all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(stream: asyncio.StreamReader) -> bytes:
    """The last that comes: a log is read to its end, else its writer would wait for ever."""
    found = b""
    while data := await stream.read(_SAID_BYTES):
        found = (found + data)[-_SAID_BYTES:]
    return found
