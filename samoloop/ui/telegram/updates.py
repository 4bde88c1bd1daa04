"""What the bot hears, in our own words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attachment:
    """What came with a message, still with the server."""

    file_id: str
    name: str  # as the phone calls it
    size: int  # bytes; 0: not told
    is_voice: bool = False


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Moved:
    """A group has become a supergroup, which has another number."""

    update_id: int
    chat: int
    to: int


@dataclass(frozen=True)
class Other:
    """An update that means nothing here, to be acknowledged all the same."""

    update_id: int


Update = Said | Tap | Moved | Other
