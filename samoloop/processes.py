"""Processes as the kernel sees them: find them, wait for their end, end them. Knows nothing of sessions."""


def boot_id() -> str:
    """What tells this boot of the machine from any other: no process outlives a change of it."""
    raise NotImplementedError


def become_subreaper() -> None:
    """Have orphaned descendants given to this process instead of to init. Does nothing where the kernel cannot."""
    raise NotImplementedError
