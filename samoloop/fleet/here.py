"""This machine's part in a fleet: what the person's own settings say of it, and which projects it serves."""

import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from samoloop import providers
from samoloop.api.unseen import git_of
from samoloop.base.errors import SamoloopError, UsageError, sentence
from samoloop.base.files import make_folder, sha256, small_text, write_atomic
from samoloop.base.places import state_folder
from samoloop.base.values import frozen
from samoloop.config import loading, projects
from samoloop.config.keys import KNOWN
from samoloop.config.loading import Config
from samoloop.config.settings_files import settings_now
from samoloop.core.control import FLEET_LOCK
from samoloop.fleet import transport
from samoloop.fleet.address import growing_waits
from samoloop.fleet.transport import RemoteGone
from samoloop.git.repo import Repo

_OWN = "SAMOLOOP_FLEET_"  # names of the environment that no iteration needs: the database's address is among them


@frozen
class Here:
    """This machine, by its settings."""

    machine: str
    id: str  # a word of its own, by which two machines of one name are told apart
    database: str
    remote: str  # empty: the one that is meant
    lease_seconds: float
    login: str


@frozen
class Project:
    """A project that this machine serves."""

    id: str
    root: Path
    repo: Repo
    remote: str
    sessions: Path
    shown: str = ""  # the hash of its settings as they were when a person had this machine start


def here(environ: Mapping[str, str], database: str = "") -> Here:
    """What this machine is. Raises UsageError where no database is named, ConfigError for settings that say nothing."""
    settings = loading.load(state_folder(environ), environ).fleet
    address = database or settings.database
    if not address:
        raise UsageError(
            "no database of a fleet is named on this machine: "
            "samoloop fleet init --database postgresql://USER:PASSWORD@HOST/NAME"
        )
    machine = settings.machine or socket.gethostname()
    return Here(
        machine, _identity(environ), address, settings.remote or "", float(settings.lease_seconds), settings.login
    )


def _identity(environ: Mapping[str, str]) -> str:
    path = state_folder(environ) / "fleet-id"
    if not (known := small_text(path).strip()):
        make_folder(path.parent)
        known = uuid.uuid4().hex
        write_atomic(path, f"{known}\n")
    return known


def without_address(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of what runs for a session: who works on it has no business with the database."""
    return {name: value for name, value in environ.items() if not name.startswith(_OWN)}


def project_at(root: Path, this: Here, environ: Mapping[str, str], *, joins: bool) -> Project | None:
    """The project, as the remote names it; None for one that no fleet knows yet, unless it `joins`.

    Raises GitError where the remote cannot be asked, UsageError where there is none.
    """
    settings, repo = loading.load(root, environ), Repo.find(root)
    remote = transport.remote_of(repo, this.remote)
    known = transport.project_id(repo, remote) if joins else transport.known_id(repo, remote)
    if not known:
        return None
    shown = sha256(settings_now(settings, git_of(repo.git_dir, root).programs(), in_reach=False))
    return Project(known, root, repo, remote, settings.sessions_dir, shown)


def served(at: Path | None, this: Here, environ: Mapping[str, str], say: Callable[[str], None]) -> dict[str, Project]:
    """The projects of this machine by their ids: the one it is started in, and those registered here that the fleet
    knows. What is in the way of one is said, and the others are served; a remote that is away is waited for where
    nothing can be done without it.
    """
    said: set[str] = set()

    def once(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    for wait in growing_waits():
        try:
            return _served(at, this, environ, once)
        except RemoteGone as error:
            once(f"{sentence(error)}; it is asked again until it answers")
        time.sleep(wait)
    return {}


def _served(at: Path | None, this: Here, environ: Mapping[str, str], say: Callable[[str], None]) -> dict[str, Project]:
    """Raises RemoteGone where that of the project `at` is away, or where no other is served."""
    found: dict[str, Project] = {}
    gone: RemoteGone | None = None
    for root in dict.fromkeys([*([at] if at else []), *projects.registered(environ)]):
        try:
            project = project_at(root, this, environ, joins=root == at) if root.is_dir() else None
        except (SamoloopError, OSError) as error:
            if root == at:
                raise
            say(f"{root} is left alone: {sentence(error)}")
            gone = error if isinstance(error, RemoteGone) else gone
            continue
        if project:
            projects.register(root, environ)
            found[project.id] = project
    if gone and not found:
        raise gone
    return found


def clis(among: Iterable[Config], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The CLIs that are installed here, as any of these settings names them."""
    wanted = {name: settings for settings in among for name in (*KNOWN, *settings.providers, settings.provider)}

    def is_here(name: str) -> bool:
        settings = wanted[name].provider_settings(name)
        try:
            return providers.get(name, settings, environ).checkup(environ).found is not None
        except (SamoloopError, OSError):
            return False

    with ThreadPoolExecutor(max_workers=4) as pool:
        return tuple(sorted(name for name, found in zip(wanted, pool.map(is_here, wanted), strict=True) if found))


def lock_file(environ: Mapping[str, str]) -> Path:
    """Held by the one `fleet work` of this person on this machine."""
    return state_folder(environ) / FLEET_LOCK
