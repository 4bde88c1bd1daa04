"""How far a child may go unasked, and what of the machine it has in its sandbox."""

from enum import StrEnum
from pathlib import Path

from samoloop.base.values import frozen


class Permissions(StrEnum):
    """How much a child may do without asking."""

    FULL = "full"
    EDITS = "edits"  # the CLI's own restrained mode


class SandboxMode(StrEnum):
    """Whether children are started in a sandbox."""

    AUTO = "auto"  # where it can be had
    REQUIRED = "required"  # or not at all
    OFF = "off"


class Access(StrEnum):
    """What a path is inside a sandbox. What is not named is there to be read."""

    WRITE = "write"
    READ = "read"
    CACHE = "cache"  # may be written, and what is written ends with the sandbox
    HIDDEN = "hidden"  # an empty folder of its own, or a file that cannot be read


@frozen
class Sandboxing:
    """What the settings say of the sandbox of children; None is: as the session."""

    mode: SandboxMode | None = None
    read: tuple[Path, ...] = ()  # more that is to be read
    write: tuple[Path, ...] = ()  # more that may be written
    network: bool | None = None  # for commands; a CLI always has it, to reach its model

    def over(self, general: "Sandboxing") -> "Sandboxing":
        """This, and what it does not say as `general` does; paths are added."""
        return Sandboxing(
            self.mode or general.mode,
            (*general.read, *self.read),
            (*general.write, *self.write),
            general.network if self.network is None else self.network,
        )
