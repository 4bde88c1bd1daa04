"""How far a child may go unasked."""

from enum import StrEnum


class Permissions(StrEnum):
    """How much a child may do without asking."""

    FULL = "full"
    EDITS = "edits"  # the CLI's own restrained mode
