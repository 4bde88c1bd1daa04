"""An announcement in two short lines, and as a notice on the person's desktop. What it says is only ever shown."""

import subprocess
import sys
from collections.abc import Mapping, Sequence

from samoloop.base.printable import one_line
from samoloop.core.words import NEWS, News
from samoloop.worker.outbox import Announcement

CALLS = frozenset({News.QUESTIONS, News.PLAN, News.ACTION, News.BLOCKED, News.FAILED, News.DONE})  # for the person
NOTICE_SECONDS = 20.0
_TITLE, _BODY = 80, 300  # characters
_OSASCRIPT = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")


def in_short(given: Announcement) -> tuple[str, str]:
    """Title and text, each one line that only shows: which session of which project, and what it wants."""
    name = given.session.split("-", 3)[-1]  # without its date
    title = f"samoloop: {given.project} {name}" if given.project else f"samoloop: {name}"
    what = NEWS[given.kind].title.format(where=f" in {given.phase}", took="", what="")
    more = "; ".join(asked.text for asked in given.questions) or given.file or given.text.strip().partition("\n")[0]
    text = more if given.kind is News.DONE and more else f"{what}: {more}" if more else what  # an end says so itself
    return one_line(title, _TITLE), one_line(f"still: {text}" if given.reminder else text, _BODY)


def show_on_desktop(given: Announcement, environ: Mapping[str, str]) -> str:
    """Show it; why that was not possible, empty where it was."""
    argv = desktop_command(*in_short(given), platform=sys.platform)
    try:
        done = subprocess.run(
            argv, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=NOTICE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{argv[0]} did not end within {NOTICE_SECONDS:.0f} s"
    except OSError as error:
        return f"{argv[0]} cannot be run: {error.strerror}"
    words = done.stderr.decode(errors="replace").strip().splitlines()
    return (
        f"{argv[0]} exits with {done.returncode}" + (f": {words[-1][:200]}" if words else "") if done.returncode else ""
    )


def desktop_command(title: str, text: str, *, platform: str) -> Sequence[str]:
    """The program that shows a notice. No word of it is an option or a command.

    notify-send reads escapes and markup in the text, so both are taken from it; osascript gets it as an argument of a
    script, never as a part of one.
    """
    if platform == "darwin":
        script = [word for line in _OSASCRIPT for word in ("-e", line)]
        return ["osascript", *script, title, text]  # the title begins with our own word, so it is no option
    for found, instead in (("\\", "\\\\"), ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(found, instead)
    return ["notify-send", "--app-name=samoloop", "--", title, text]
