"""What can go wrong in a way that a person can mend.

The core raises these; the command line prints the sentence and exits with `exit_code`.
"""


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
