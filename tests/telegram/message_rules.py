"""What the server takes of a message: its HTML, its lengths, its buttons. From the public Bot API description."""

import json
import re
from typing import Any

TEXT_LIMIT = 4096  # UTF-16 units, after the formatting is taken out
CAPTION_LIMIT = 1024
TOAST_LIMIT = 200
CALLBACK_LIMIT_BYTES = 64
DOCUMENT_LIMIT_BYTES = 50_000_000
DOWNLOAD_LIMIT_BYTES = 20_000_000
TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "blockquote", "tg-spoiler",
        "tg-emoji", "span"}  # fmt: skip
ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}  # the others stay as they are written


class Refused(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


def too_many(seconds: int) -> Refused:
    return Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def plain_text(text: str, parse_mode: str | None) -> str:
    """The text that a person sees. Raises Refused where the server would not understand the HTML."""
    if parse_mode is None:
        return text
    if parse_mode != "HTML":
        raise Refused(400, f"Bad Request: unsupported parse_mode {parse_mode}")
    plain: list[str] = []
    opened: list[str] = []
    at = 0
    for part in re.split("(<[^>]*>?)", text):
        if part.startswith("<"):
            _nest(part, opened, at)
        else:
            plain.append(re.sub(r"&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));", _entity, part))
        at += len(part.encode())
    if opened:
        raise _unparsed(f'Can\'t find end tag corresponding to start tag "{opened[-1]}"')
    return "".join(plain)


def _nest(part: str, opened: list[str], at: int) -> None:
    tag = re.fullmatch(r"<(/?)([a-zA-Z0-9-]*)((?:\s+[^<>]*)?)>", part)
    if not tag:
        raise _unparsed(f"Unclosed start tag at byte offset {at}")
    name = tag[2].lower()
    if not tag[1]:
        if name not in TAGS or (name == "span" and "tg-spoiler" not in tag[3]):
            raise _unparsed(f'Unsupported start tag "{name}" at byte offset {at}')
        opened.append(name)
    elif not opened:
        raise _unparsed(f"Unexpected end tag at byte offset {at}")
    elif (expected := opened.pop()) != name:
        raise _unparsed(f'Unmatched end tag at byte offset {at}, expected "</{expected}>", found "</{name}>"')


def _unparsed(why: str) -> Refused:
    return Refused(400, f"Bad Request: can't parse entities: {why}")


def _entity(found: re.Match[str]) -> str:
    if found[3]:
        return ENTITIES.get(found[3], found[0])
    number = int(found[1]) if found[1] else int(found[2], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else found[0]


def checked_text(text: str, parse_mode: str | None) -> str:
    """What is shown of a message's text."""
    shown = plain_text(text, parse_mode).strip()
    if not shown:
        raise Refused(400, "Bad Request: message text is empty")
    if units(shown) > TEXT_LIMIT:
        raise Refused(400, "Bad Request: message is too long")
    return shown


def checked_caption(text: str, parse_mode: str | None) -> str:
    shown = plain_text(text, parse_mode).strip()
    if units(shown) > CAPTION_LIMIT:
        raise Refused(400, "Bad Request: message caption is too long")
    return shown


def checked_markup(text: str) -> dict[str, Any] | None:
    """The keyboard under a message; None where there is none."""
    markup: dict[str, Any] | None = json.loads(text) if text else None
    buttons = [button for row in (markup or {}).get("inline_keyboard", []) for button in row]
    if len(buttons) > 100:
        raise Refused(400, "Bad Request: reply markup is too long")
    for button in buttons:
        if not button.get("text", "").strip():
            raise Refused(400, "Bad Request: can't parse inline keyboard button: Text must be non-empty")
        if not 1 <= len(button.get("callback_data", "").encode()) <= CALLBACK_LIMIT_BYTES:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return markup if markup and markup.get("inline_keyboard") != [] else None
