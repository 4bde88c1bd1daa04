"""What a child has of the machine: its worktree, its session's documents, the parts of `.git` that commits need, its
CLI's own folder, tools and caches. Homes, other projects, other sessions and services are not there.

A path that stands here with WRITE can be changed by a child for good; all else it can at most read.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import samoloop
from samoloop.base import programs
from samoloop.base.files import make_folder, small_text, write_anew
from samoloop.base.places import state_folder
from samoloop.children import sandbox
from samoloop.children.sandbox import Box
from samoloop.children.scope import apart
from samoloop.config import projects
from samoloop.config.loading import Config
from samoloop.config.project import user_file
from samoloop.config.resources import folder
from samoloop.core.control import NAMES
from samoloop.core.gates.human_action import ACTION
from samoloop.core.gates.plan_approval import APPROVAL
from samoloop.core.gates.questions import FILE_NAME as QUESTIONS
from samoloop.core.overview import TASK_FILE
from samoloop.core.permissions import Access, Sandboxing
from samoloop.core.session import REPORT
from samoloop.core.signals import GateKind
from samoloop.git.checkout import locate, refs_in_files, registered
from samoloop.git.drivers import configuration_files
from samoloop.providers.base import Launch
from samoloop.worker.worker import Worker

Paths = dict[Path, Access]

# Homes, folders of others and the doors to services. Of a person's home only what is named below is there.
_HIDDEN = ("/home", "/root", "/tmp", "/var/tmp", "/run", "/mnt", "/media", "/var/lib/docker", "/var/lib/containerd")
# What root could read.
_SECRETS = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssl/private", "/etc/krb5.keytab")
_HOST_KEYS = ("/etc/ssh", "ssh_host_*_key")
_OF_THE_SYSTEM = ("/etc/resolv.conf", "/run/current-system", "/run/opengl-driver", "/run/nscd")

_BRANCHES = 20  # of others beside a session's own, the newest, that are kept from it; each costs a mount
_PLACES = ("HOME", "PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "GIT_CONFIG_GLOBAL")  # variables that lead to paths

# What a shell reads when it starts: with `bash -lc`, as some CLIs do, all of PATH comes from there.
START_FILES = (".profile", ".bashrc", ".bash_profile", ".zshrc", ".zshenv")
_CACHES = (
    *("pip", "uv", "pypoetry", "pdm", "pre-commit", "node", "node-gyp", "yarn", "pnpm", "deno", "electron", "Cypress"),
    *("ms-playwright", "puppeteer", "typescript", "go-build", "golangci-lint", "coursier", "composer", "bazel"),
    *("bazelisk", "ccache", "sccache", "zig", "mypy", "ruff", "cabal", "dune", "torch"),
    *("huggingface/hub", "huggingface/datasets"),
)
# Below the home folder. Read-only: programs, and what they are told by their person. None of it holds a login, and
# where logins lie beside it the folders are named one by one.
TOOLS = (
    *(".local/bin", ".local/lib", ".local/pipx", ".local/share/pipx"),
    *(".local/share/uv/python", ".local/share/uv/tools"),
    *(".local/share/mise", "bin", ".nvm", ".volta", ".fnm", ".local/share/fnm", ".npm-global", ".bun/bin", ".deno/bin"),
    *(".local/share/pnpm", ".cargo/bin", ".cargo/env", ".cargo/config.toml", ".rustup", "go/bin", ".goenv", ".pyenv"),
    *(".config/go/env", ".rbenv", ".asdf", ".sdkman", ".jenv", ".jdks", ".ghcup", ".opam", ".dotnet", ".mix/archives"),
    *(".nix-profile", ".local/state/nix", "miniconda3", "anaconda3", "miniforge3", ".conda/envs", ".juliaup"),
    *(".gitconfig", ".gitignore", ".gitignore_global", ".config/git/ignore", ".config/git/attributes"),
    *(".editorconfig", ".tool-versions", ".nvmrc", *START_FILES),
)
CACHES = (
    *(".npm", ".yarn/berry", ".pnpm-store", ".bun/install/cache", ".cargo/registry", ".cargo/git", "go/pkg"),
    *(".m2/repository", ".m2/wrapper", ".gradle/caches", ".gradle/wrapper", ".ivy2/cache", ".ivy2/local", ".sbt/boot"),
    *(".gem/ruby", ".local/share/gem/ruby", ".nuget/packages", ".conda/pkgs", ".stack", ".cabal/packages"),
    *(".cabal/store", ".hex/packages", ".pub-cache/hosted", ".julia/packages", ".julia/artifacts", ".julia/registries"),
    *(f".cache/{name}" for name in _CACHES),
)


# --- for a child and a command ----------------------------------------------------------------------------------------


def put_around(worker: Worker, launch: Launch) -> Launch:
    """The launch in the box of its session. A station of a worker."""
    phase = worker.state.phase
    if not sandbox.is_used(settings := worker.config.sandboxing(phase)):
        return launch
    box = replace(of_session(worker, phase, launch.needs), stays=True)
    return replace(launch, within=sandbox.words_for(settings, box))


def put_around_project(
    config: Config, where: Path, environ: Mapping[str, str], launch: Launch, told_in: Path
) -> Launch:
    """The launch of a CLI without a session, in the box of its project; `told_in` is the folder with its prompt."""
    box = of_project(config, where, environ, {told_in: Access.READ, **launch.needs})
    return replace(launch, within=sandbox.words_for(config.sandboxing(""), replace(box, stays=True)))


def enclosed(worker: Worker, argv: Sequence[str], cwd: Path | None = None) -> list[str]:
    """A command of the project in the box of its session, without a CLI's folders; it ends with this process.

    Raises NoSandbox where the settings require one and there is none.
    """
    settings = worker.config.sandboxing(worker.state.phase)
    if not sandbox.is_used(settings):
        return list(argv)
    box = of_session(worker, worker.state.phase)
    box = replace(box, cwd=cwd or box.cwd, network=settings.network is not False)
    return [*sandbox.words_for(settings, box), *argv]


def run(worker: Worker, argv: Sequence[str], cwd: Path, **how: Any) -> "subprocess.CompletedProcess[bytes]":
    """`programs.run` of a command in the box of its session."""
    within = enclosed(worker, argv, cwd)
    call = partial(programs.run, within, cwd=cwd, **how)
    return apart(call) if len(within) > len(argv) else call()  # in a thread that lives as long, see `enclosed`


# --- what is in it ----------------------------------------------------------------------------------------------------


def of_session(worker: Worker, phase: str, needs: Mapping[Path, Access] | None = None) -> Box:
    """The box of a session's children in a phase; `needs` is what their CLI must have."""
    session, created, config = worker.session, worker.state.created, worker.config
    root = created.worktree
    paths = {
        **_machine(worker.environ),
        **_project(config, worker.environ),
        config.worktrees_dir: Access.HIDDEN,
        root: Access.WRITE,
        **(_repository(created.repo, root, created.branch) if created.repo else _repository_in_place(root)),
        config.sessions_dir: Access.HIDDEN,
        session.dir: Access.WRITE,
        **_documents(worker, phase),
        session.logs: Access.READ,
        session.journal.path: Access.READ,
        **_needed(needs or {}),
        **_settled(config.sandboxing(phase)),
    }
    return Box(root, paths, home=_home(worker.environ))


def of_project(
    config: Config, where: Path, environ: Mapping[str, str], needs: Mapping[Path, Access] | None = None
) -> Box:
    """The box of what works in a folder of a project, without a session: all of the project but its `.git`."""
    paths = {
        **_machine(environ),
        **_project(config, environ),
        config.root: Access.WRITE,
        where: Access.WRITE,
        **_repository_in_place(config.root),
        config.worktrees_dir: Access.HIDDEN,
        config.sessions_dir: Access.HIDDEN,
        **_needed(needs or {}),
        **_settled(config.sandboxing("")),
    }
    return Box(where, paths, home=_home(environ))


def _needed(needs: Mapping[Path, Access]) -> Mapping[Path, Access]:
    """What a CLI needs. What it may only read in a folder that it writes in is made where it is not there, without
    any meaning: what is not there could not be kept from being made.
    """
    for path, access in needs.items():
        folder_is_open = needs.get(path.parent) is Access.WRITE and path.parent.is_dir()
        if access is not Access.READ or not folder_is_open or os.path.lexists(path):
            continue
        if path.suffix:
            write_anew(path, "{}\n" if path.suffix == ".json" else "")
        else:
            make_folder(path)
    return needs


def _settled(settings: Sandboxing) -> Paths:
    """What a person adds."""
    read = {path.expanduser(): Access.READ for path in settings.read}
    return read | {path.expanduser(): Access.WRITE for path in settings.write}


def _machine(environ: Mapping[str, str]) -> Paths:
    """The machine as every child has it."""
    return dict(_machine_of(tuple(sorted((name, value) for name, value in environ.items() if name in _PLACES))))


@cache
def _machine_of(places: tuple[tuple[str, str], ...]) -> Paths:
    environ = dict(places)
    homes = [*_homes(environ)]
    secrets = [*map(Path, _SECRETS), *Path(_HOST_KEYS[0]).glob(_HOST_KEYS[1])] if os.getuid() == 0 else []
    hidden = [*map(Path, _HIDDEN), *homes, *secrets, state_folder(environ)]
    paths = dict.fromkeys([*hidden, user_file(environ).parent], Access.HIDDEN)
    for home in homes[:1]:
        paths |= dict.fromkeys(_there(home, CACHES), Access.CACHE)
        paths |= dict.fromkeys(_there(home, TOOLS), Access.READ)
    for place in _programs(environ, homes):
        paths.setdefault(place, Access.READ)
    shown = [*map(Path, _OF_THE_SYSTEM), *_own_installation(), *configuration_files(Path("/nowhere"), environ)]
    return paths | dict.fromkeys(shown, Access.READ)


def _there(home: Path, names: Sequence[str]) -> list[Path]:
    """Those that are there now: the home is hidden, so what is installed meanwhile comes with the next worker."""
    return [home / name for name in names if os.access(f"{home}/{name}", os.F_OK)]


def _home(environ: Mapping[str, str]) -> Path | None:
    return next(_homes(environ), None)


def _homes(environ: Mapping[str, str]) -> Iterator[Path]:
    """The person's home as the environment names it, and as the system does."""
    return (path for path in map(Path, _named_homes(environ)) if path.is_absolute() and path != Path("/"))


def _named_homes(environ: Mapping[str, str]) -> Iterator[str]:
    yield environ.get("HOME") or ""
    with suppress(KeyError):
        yield pwd.getpwuid(os.getuid()).pw_dir


def _programs(environ: Mapping[str, str], homes: Sequence[Path]) -> Iterator[Path]:
    """Where programs are looked for; of a virtual environment, and where a tool chooses among versions, all of it."""
    for place in map(Path, environ.get("PATH", "").split(os.pathsep)):
        if place.is_absolute() and not any(home.is_relative_to(place) for home in homes):
            venv = os.path.isfile(place.parent / "pyvenv.cfg")  # noqa: PTH113 - it may be nobody's to look at
            whole = venv or place.name == "shims"
            yield place.parent if whole else place


def _own_installation() -> list[Path]:
    """What a child needs to run `samoloop signal check`, and the scripted child at all."""
    shipped = [folder(name) for name in ("phase_prompts", "skills", "examples")]
    return [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable), Path(samoloop.__file__).parent, *shipped]


def _project(config: Config, environ: Mapping[str, str]) -> Paths:
    """No project is there, neither others nor this one's main checkout."""
    return dict.fromkeys([*projects.registered(environ), config.root], Access.HIDDEN)


def _documents(worker: Worker, phase: str) -> Paths:
    """What of the session's folder a child may only read."""
    names = {TASK_FILE, REPORT, APPROVAL, ACTION, *NAMES}
    rules = worker.state.live_workflow.phase(phase)
    if GateKind.QA_ANSWERS not in {rules.gate, *rules.waits}:  # nobody is asked here
        names.add(QUESTIONS)
    folder = str(worker.session.dir)
    found = [name for name in names if os.path.lexists(at := f"{folder}/{name}") and not os.path.islink(at)]  # noqa: PTH114
    return {worker.session.dir / name: Access.READ for name in found}


def _repository(common: Path, root: Path, branch: str) -> Paths:
    """Of the person's repository: objects, the session's branch, and what git keeps for its worktree.

    Packs and all that leads git elsewhere stay as they are. With reftables all branches are in one place.
    """
    paths = {common: Access.READ, root / ".git": Access.READ}
    own = registered(common, root)
    branches = Path("refs/heads", branch).parent
    write = [common / "objects", common / branches, common / "logs" / branches, common / "lfs", common / "reftable"]
    if refs_in_files(common):
        for place in (common / branches, common / "logs" / branches):
            place.mkdir(parents=True, exist_ok=True)  # git removes it where all is packed
    paths |= dict.fromkeys(write, Access.WRITE)
    paths |= {common / "objects" / name: Access.READ for name in ("pack", "info")}
    if own:
        if not os.path.lexists(own / "config.worktree"):
            write_anew(own / "config.worktree", "")  # what is not there could not be kept as it is
        paths[own] = Access.WRITE
        paths |= {own / name: Access.READ for name in ("commondir", "gitdir", "config.worktree")}
    paths |= dict.fromkeys(_newest(common / branches, Path(branch).name), Access.READ)
    return paths | dict.fromkeys(_alternates(common / "objects"), Access.READ)


def _newest(folder: Path, but: str) -> list[Path]:
    """The newest branches beside a session's."""
    with suppress(OSError), os.scandir(folder) as entries:
        found = [(entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in entries if entry.name != but]
        return [Path(path) for _, path in sorted(found, reverse=True)[:_BRANCHES]]
    return []


def _repository_in_place(root: Path) -> Paths:
    """The person's own repository is there to be read."""
    found = locate(root)
    if found is None:
        return {}
    return {found.common_dir: Access.READ} | dict.fromkeys(_alternates(found.common_dir / "objects"), Access.READ)


def _alternates(objects: Path, deepest: int = 5) -> Iterator[Path]:
    """Where else the repository has its objects."""
    for line in small_text(objects / "info" / "alternates").splitlines() if deepest else ():
        other = Path(os.path.normpath(objects / line))
        if line and not line.startswith("#") and other.is_dir():
            yield other
            yield from _alternates(other, deepest - 1)
