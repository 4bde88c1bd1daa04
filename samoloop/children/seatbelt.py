"""The same box by macOS's own `sandbox-exec`: a profile of rules instead of mounts. Nobody has tried it yet.

What is hidden cannot be read, where on Linux it is an empty folder; caches can only be read; the temporary folders are
shared; and there is no process namespace, so what a child leaves behind is ended by its group, as without a box.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from samoloop.core.permissions import Access

PROGRAM = "/usr/bin/sandbox-exec"
UNTRIED = (
    "there is no sandbox, because that of macOS has not been tried yet; try it with --sandbox required, which uses "
    "sandbox-exec"
)
_TEMPORARY = ("/tmp", "/private/tmp", "/private/var/folders", "/dev")  # every program needs them
_RULES = {
    Access.WRITE: ("(allow file-read* file-write* {})",),
    Access.READ: ("(allow file-read* {})", "(deny file-write* {})"),
    Access.CACHE: ("(allow file-read* {})", "(deny file-write* {})"),
    Access.HIDDEN: ("(deny file-read-data file-write* {})",),
}


def words(paths: Mapping[Path, Access], network: bool, unset: Iterable[str]) -> list[str]:
    """The program and its options in front of a command, which keeps the working folder it is started in."""
    cleared = [word for name in unset if name != "TMPDIR" for word in ("-u", name)]
    return ["/usr/bin/env", *cleared, PROGRAM, "-p", profile(paths, network)]


def profile(paths: Mapping[Path, Access], network: bool) -> str:
    """The rules, of which the last that fits counts: so the deeper path comes later."""
    rules = ["(version 1)", "(allow default)", "(deny file-write*)"]
    known = dict(paths) | dict.fromkeys(map(Path, _TEMPORARY), Access.WRITE)
    for path in sorted(known, key=lambda path: (len(path.parts), path)):
        rules += [rule.format(f"(subpath {json.dumps(str(path), ensure_ascii=False)})") for rule in _RULES[known[path]]]
    rules += ["(deny signal)", "(allow signal (target same-sandbox))"]
    return "\n".join(rules if network else [*rules, "(deny network*)"])
