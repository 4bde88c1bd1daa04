"""Who is to hear of a session, by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outlets:
    """Who is to hear of it. Empty: nobody, and nothing is written."""

    telegram: bool = False
    command: tuple[str, ...] = ()  # gets each announcement as JSON on its standard input
    webhook: str = ""  # gets it as the body of a POST

    @property
    def readers(self) -> tuple[str, ...]:
        given = {"telegram": self.telegram, "command": self.command, "webhook": self.webhook}
        return tuple(name for name, there in given.items() if there)


def parse_outlets(section: Mapping[str, Any], *, telegram: bool) -> tuple[Outlets, list[str]]:
    """The `announce:` section of the configuration, and every problem in it as one sentence each."""
    problems = [
        f"announce.{key} is unknown; there are command and webhook" for key in section.keys() - {"command", "webhook"}
    ]
    command = section.get("command") or []
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        problems.append(
            f"announce.command must be a list of words such as [notify, --title, samoloop], got {command!r}"
        )
        command = []
    webhook = section.get("webhook") or ""
    if not isinstance(webhook, str) or (webhook and not webhook.startswith(("http://", "https://"))):
        problems.append("announce.webhook must be an address that begins with http:// or https://")
        webhook = ""
    return Outlets(telegram, tuple(command), webhook), problems
