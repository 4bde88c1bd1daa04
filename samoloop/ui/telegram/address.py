"""Whom a message is meant for: in a private chat all are ours, a group is full of other talk and other bots."""

import re
from dataclasses import replace

from samoloop.ui.telegram.updates import Said

_ADDRESSED = re.compile(r"/(\w+)@(\w+)")


def meant(said: Said, bot: str, *, in_topic: bool) -> Said | None:
    """The message without the name of `bot` at its beginning; None where it is not meant for it.

    `in_topic`: it stands in a session's topic. `bot` is empty where the name is not known yet.
    """
    command = _ADDRESSED.match(said.text)
    if command and command[2].lower() != bot.lower():
        return None
    name = re.compile(rf"(?<!\w)@{re.escape(bot)}(?!\w)", re.IGNORECASE) if bot else None
    named = bool(command) or bool(name and name.search(said.text))
    if said.chat < 0 and not (in_topic or said.answers_bot or named):
        return None
    text = said.text
    if command:
        text = f"/{command[1]}{text[command.end() :]}"
    elif name and (first := name.match(text)):
        text = text[first.end() :].lstrip(" ,:\n")
    return replace(said, text=text)
