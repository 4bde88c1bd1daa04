"""What can go wrong in a way that a person can mend.

The core raises these; the command line prints the sentence and exits with `exit_code`.
"""

from collections.abc import Sequence


class SamoloopError(Exception):
    """A sentence for a person: what happened, with which value, what to do next."""

    exit_code = 2


class ConfigError(SamoloopError):
    """The configuration cannot be used; the message lists every problem found."""


class UsageError(SamoloopError):
    """The command was given something that it cannot act on."""


class SessionError(SamoloopError):
    """A session folder is unknown, damaged, or not in the state that the command needs."""


class LockHeld(SamoloopError):
    """Another worker holds the session."""


class GitError(SamoloopError):
    """Git refused something that the worker needs."""


class ProviderError(SamoloopError):
    """The child CLI cannot be started as configured."""


class ProgramMissing(ProviderError):
    """The child CLI is not on this machine."""


_SHOWN = 80  # characters
_PROBLEM_LENGTH = 500
_PROBLEMS = 20  # of one kind, that are told
_SENTENCE_LENGTH = 4000


def sentence(error: Exception) -> str:
    """What a person reads of an error of any kind, where it is written down or stands in a row."""
    if isinstance(error, SamoloopError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    else:
        text = f"a fault in samoloop itself, {type(error).__name__}: {error}"
    return text[:_SENTENCE_LENGTH]


def warn(sentence: str) -> None:
    """Say what went wrong and keeps nobody from going on."""
    import logging  # seldom

    logging.getLogger(__name__).warning("%s", sentence)


def listed(title: str, problems: Sequence[str]) -> str:
    """Several problems, a line each: as many as a person reads, and each cut short, for it may quote a file."""
    lines = [f"  - {one if len(one) <= _PROBLEM_LENGTH else one[: _PROBLEM_LENGTH - 1] + '…'}" for one in problems]
    more = [f"  and {len(lines) - _PROBLEMS} more"] if len(lines) > _PROBLEMS else []
    return "\n".join([title, *lines[:_PROBLEMS], *more])


def shown(value: object) -> str:
    """A value as a message shows it: in quotes where it is text, and cut short, for it may be a whole file."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        text = "a number of very many digits"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
