"""Who is to hear of a session, by the configuration."""

from dataclasses import dataclass

from samoloop.config.schema import Key, Table, address, texts


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


OUTLETS = Table(
    (
        Key(
            "command",
            texts,
            "program and arguments; gets each announcement as JSON on standard input",
            example="[notify-send, samoloop]",
        ),
        Key("webhook", address, "an address; gets it as a POST", example="https://hooks.example.org/samoloop"),
    ),
    lambda found: Outlets(**found),
)
