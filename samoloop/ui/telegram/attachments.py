"""What people send beside words: fetched to the bot's own folder, made into words, put into the session they act on.

`attachments/N.json` is the message of update N as it was said, until its file has been fetched; `attachments/N-NAME` is
the file, until its words were used or forgotten. Children reach neither; what they reach, the session's folder, is
only ever written to by a rename.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from unicodedata import normalize

from samoloop.base.files import make_folder, read_plain, remove, write_atomic
from samoloop.config.bot_folder import LIMIT_BYTES, BotFolder
from samoloop.ui.telegram.api import Api, Refused
from samoloop.ui.telegram.updates import Attachment, Said
from samoloop.ui.telegram.voice import Unheard, transcribe

MOST_BYTES = 20_000_000  # as many as Telegram gives to a bot
_STEM, _SUFFIX = 32, 8  # characters of a name
_VOICE = ".oga"


class Attachments:
    """All of one bot."""

    def __init__(self, folder: BotFolder) -> None:
        self._path = folder.path / "attachments"
        make_folder(self._path)

    # Still with the server

    def keep(self, said: Said) -> None:
        """Have the file of a message fetched; a repeated update changes nothing about it."""
        write_atomic(self._path / f"{said.update_id}.json", json.dumps(asdict(said)), mode=0o600)

    def waiting(self) -> list[Said]:
        """The messages whose files were not fetched yet, oldest first."""
        return list(self._waiting())

    def _waiting(self) -> Iterator[Said]:
        for number in sorted(int(path.stem) for path in self._path.glob("*.json") if path.stem.isdecimal()):
            try:
                given = json.loads(read_plain(self._path / f"{number}.json", LIMIT_BYTES) or b"")
                yield Said(**{**given, "attachment": Attachment(**given["attachment"]), "parts": ()})
            except (ValueError, TypeError, KeyError):
                remove(self._path / f"{number}.json")

    # Fetched

    def fetched_voice(self, said: Said, content: bytes) -> Path:
        """A voice message for a program that reads files; it is there until `settled`."""
        path = self._path / f"{said.update_id}{_VOICE}"
        write_atomic(path, content, mode=0o600)
        return path

    def fetched_file(self, said: Said, content: bytes) -> str:
        """Keep a file for the session that its words will act on; gives the name of the document that it will be."""
        name = document_name(said)
        write_atomic(self._path / f"{said.update_id}-{name}", content, mode=0o600)
        return name

    def settled(self, update_id: int) -> None:
        """The message has become words, or never will."""
        remove(self._path / f"{update_id}{_VOICE}")
        remove(self._path / f"{update_id}.json")

    # Used

    def put(self, update_id: int, session_dir: Path) -> Path | None:
        """Make what came with an update a document of a session, whatever a child put in its place. Raises OSError.

        None where nothing came, or something was in its place: the act on it may have been done before a crash.
        """
        for path in self._path.glob(f"{update_id}-*"):
            document = session_dir / path.name.partition("-")[2]
            is_new = not os.path.lexists(document)
            write_atomic(document, read_plain(path, MOST_BYTES) or b"")
            return document if is_new else None
        return None

    def forget(self, update_id: int) -> None:
        """The words that came with a file were used or forgotten."""
        for path in self._path.glob(f"{update_id}-*"):
            remove(path)


def named(words: str, document: str) -> str:
    """Words that name the file that came with them."""
    return f"{words} [file from the phone: {document}, in the session folder]".strip()


async def as_words(said: Said, api: Api, kept: Attachments, environ: Mapping[str, str]) -> Said:
    """The message with its words, for which what came with it is fetched. Raises Unheard, Unsent, OSError."""
    if said.attachment is None:
        return said
    try:
        content = await api.download(said.attachment.file_id, MOST_BYTES)
    except Refused as refused:
        raise Unheard(f"Telegram does not give it out ({refused})") from None
    if said.attachment.is_voice:
        words = await transcribe(api.settings.transcribe, kept.fetched_voice(said, content), environ)
        return replace(said, text=words, attachment=None, spoken=True)
    document = kept.fetched_file(said, content)
    return replace(said, text=named(said.text, document), attachment=None, document=document)


def document_name(said: Said) -> str:
    """A name that leads nowhere, is taken by nothing else, and is that of no plan or report: nothing in it but letters,
    digits, underscores and dots, behind when the file came; its message's number makes it its own."""
    given = normalize("NFC", said.attachment.name if said.attachment else "")
    stem, dot, suffix = re.split(r"[/\\]", given)[-1].rpartition(".")
    stem, suffix = (_plain(stem, _STEM), _plain(suffix, _SUFFIX)) if dot else (_plain(suffix, _STEM), "")
    when = datetime.fromtimestamp(said.at).astimezone().strftime("%m-%d-%H%M")
    return f"{when}-phone-{stem or 'file'}_{said.message_id}" + (f".{suffix}" if suffix else "")


def _plain(text: str, most: int) -> str:
    return re.sub(r"[^\w.]+", "_", text)[:most].strip("._")
