"""Notes beside commits, under a ref of our own: they change no commit, and travel where they are pushed."""

from samoloop.git.calls import Git

REF = "refs/notes/samoloop"
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "samoloop"), ("EMAIL", "samoloop@localhost"))
}


def add(store: Git, commit: str, text: str) -> str:
    """Put a note beside a commit, in place of an earlier one of ours. A sentence where that was not possible."""
    done = store.call("notes", f"--ref={REF}", "add", "-f", "-F", "-", commit, stdin=text.encode(), env=_IDENTITY)
    if done.returncode == 0:
        return ""
    return f"no note could be put beside {commit[:12]}: {done.stderr.decode(errors='replace').strip()[:300]}"


def read(store: Git, commit: str) -> str:
    """The note beside a commit; empty for none."""
    done = store.call("notes", f"--ref={REF}", "show", commit)
    return "" if done.returncode else done.stdout.decode(errors="replace")
