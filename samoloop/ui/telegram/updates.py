"""What the bot hears, in our own words."""

import re
from collections.abc import Sequence
from dataclasses import replace

from samoloop.base.values import frozen
from samoloop.ui.telegram.text import MESSAGE_LIMIT, units

SIGNED = "(Telegram "  # in the name of whoever acted from a phone
PART_UNITS = MESSAGE_LIMIT // 2  # a phone cuts a text that is too long at a good place in the second half
PART_SECONDS = 2.0  # between two parts; the server tells whole seconds
_ANSWER = re.compile(r"(?:^|[\s,;])(Q\d+)\s*=\s*", re.IGNORECASE)
_COMMAND = re.compile(r"/[a-z_]+(@\w+)?(\s|$)")


def signed(name: str, user: int, update_id: int) -> str:
    """Who did it, as the files keep it: the person's number tells two of one name apart, the update's one act."""
    return f"{name} {SIGNED}{user}/{update_id})"


@frozen
class Attachment:
    """What came with a message, still with the server."""

    file_id: str
    name: str  # as the phone calls it
    size: int  # bytes; 0: not told
    is_voice: bool = False


@frozen
class Said:
    """A message of a person."""

    update_id: int
    chat: int
    user: int
    name: str
    message_id: int
    text: str  # of a file, its caption; empty for what holds no words
    at: float  # epoch seconds
    reply_to: int | None = None  # the message of a bot that it answers
    thread: int | None = None  # the forum topic
    forwarded: bool = False  # or made by another bot: not the person's own words
    answers_bot: bool = False  # a reply to a message of ours
    attachment: Attachment | None = None
    spoken: bool = False  # the text is what was heard
    document: str = ""  # the name of the file that came with it and was fetched
    edited: bool = False  # the person has changed it since
    parts: tuple[int, ...] = ()  # the updates that brought it before the last one

    @property
    def by(self) -> str:
        return signed(self.name, self.user, self.update_id)


@frozen
class Tap:
    """A button pressed."""

    update_id: int
    chat: int
    user: int
    name: str
    message_id: int
    query: str  # what the tap is answered by
    data: str
    text: str = ""  # what the message with the button shows

    @property
    def by(self) -> str:
        return signed(self.name, self.user, self.update_id)


@frozen
class Moved:
    """A group has become a supergroup, which has another number."""

    update_id: int
    chat: int
    to: int


@frozen
class Other:
    """An update that means nothing here, to be acknowledged all the same."""

    update_id: int


Update = Said | Tap | Moved | Other


def answers_in(text: str) -> dict[str, str]:
    """`Q1=B Q2=only for admins`: answers by question; empty for a text that does not begin so."""
    found = list(_ANSWER.finditer(text.strip()))
    if not found or found[0].start():
        return {}
    ends = [match.start() for match in found[1:]] + [len(text.strip())]
    return {match[1].upper(): _bare(text.strip()[match.end() : end]) for match, end in zip(found, ends, strict=True)}


def _bare(words: str) -> str:
    words = words.strip().rstrip(",;").rstrip()
    quoted = len(words) > 1 and words[0] + words[-1] in ("''", '""', "“”", "„“", "«»", "‘’")
    return words[1:-1] if quoted else words


def may_go_on(update: Update) -> bool:
    """Whether a message may be the first part of one that was too long for the phone."""
    return isinstance(update, Said) and not update.edited and units(update.text) >= PART_UNITS


def joined(updates: Sequence[Update]) -> list[Update]:
    """The updates, in order, with the parts of a long message as one: it has the number of its last part."""
    found: list[Update] = []
    last: Said | None = None  # the part that came last
    for update in updates:
        if last and isinstance(update, Said) and _goes_on(last, update):
            whole = found[-1]
            assert isinstance(whole, Said)
            between = "" if units(last.text) == MESSAGE_LIMIT else "\n"
            parts = (*whole.parts, whole.update_id)
            found[-1] = replace(whole, update_id=update.update_id, text=whole.text + between + update.text, parts=parts)
        else:
            found.append(update)
        last = update if isinstance(update, Said) else None
    return found


def _goes_on(last: Said, said: Said) -> bool:
    same = (last.user, last.chat, last.thread) == (said.user, said.chat, said.thread)
    answers = said.reply_to in (None, last.reply_to)
    soon = 0 <= said.at - last.at <= PART_SECONDS
    own = said.edited or said.attachment or _COMMAND.match(said.text)  # it stands by itself
    return same and answers and soon and may_go_on(last) and not own
