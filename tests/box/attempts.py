"""What a child may try against its box: each a piece of shell, and how one sees that it worked.

The pieces run in the folder of the worktree, with the variables of `Scene.told`. `CONTROL` is the session's control
folder, `VICTIM` a process of the person's outside, `B` a waiting session of the same project.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECRET = "the-persons-secret-7f3a"  # in every file that is nobody's business
LEFT = "41017"  # how long a process tries to stay
MARK = "escaped-4c1d"  # what an attempt writes
GOT = "GOT-IT"  # what an attempt says that was let through where nothing is to be seen from outside

Look = Callable[[Mapping[str, str]], bool]  # from outside, while the child is still at work


@dataclass(frozen=True)
class Attempt:
    """One way out."""

    name: str
    does: str  # shell; `python <<E` is the usual way to a system call
    prints: str = ""  # what it says when it worked
    changed: Look | None = None  # or what is to be seen outside
    spared: Mapping[str, str] = field(default_factory=dict)  # who -> why it has no effect without a box either
    who: tuple[str, ...] = ("root", "user")  # for whom it is an attempt at all
    late: bool = False  # looked at when the session has ended, and not while the child waits

    def worked(self, told: Mapping[str, str], said: str) -> bool:
        return bool(self.prints and self.prints in said) or bool(self.changed and self.changed(told))


def has(path: str, text: str = MARK) -> Look:
    """A file outside holds the text; `path` may begin with a variable."""

    def look(told: Mapping[str, str]) -> bool:
        found = Path(path.format(**told))
        return found.is_file() and text in found.read_text(errors="replace")

    return look


def gone(path: str) -> Look:
    return lambda told: not Path(path.format(**told)).exists()


def writes(name: str, path: str) -> Attempt:
    """Append to a file, or make it."""
    shell = f'mkdir -p "$(dirname "{path}")"; echo {MARK} >> "{path}"'
    return Attempt(f"write {name}", shell, changed=has(re.sub(r"\$(\w+)", r"{\1}", path)))


def is_running(argument: str) -> bool:
    lines = (path.read_bytes().split(b"\0") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return any(argument.encode() in words for words in lines)


def tip(told: Mapping[str, str]) -> str:
    words = ["git", "-c", "safe.directory=*", "rev-parse", "refs/heads/trunk"]
    return subprocess.run(words, cwd=told["REPO"], capture_output=True, text=True, check=False).stdout.strip()


def python(code: str) -> str:
    return (
        f"python3 - <<'E'\nimport ctypes, os, socket, struct, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n{code}\nE"
    )


ONLY_ROOT = {"user": "the kernel refuses it to an ordinary user"}
REFUSED_INSIDE = "the command refuses by what it descends from"
REFUSALS = {"root": REFUSED_INSIDE, "user": REFUSED_INSIDE}

# Every class of secret of a person's home, with a path where it usually lies.
SECRETS = {
    "an SSH key": ".ssh/id_ed25519",
    "a GnuPG key": ".gnupg/private-keys-v1.d/key.key",
    "an AWS login": ".aws/credentials",
    "a Google Cloud login": ".config/gcloud/application_default_credentials.json",
    "an Azure login": ".azure/msal_token_cache.json",
    "a Kubernetes login": ".kube/config",
    "a Docker login": ".docker/config.json",
    "the passwords of netrc": ".netrc",
    "git's stored passwords": ".git-credentials",
    "git's other store": ".config/git/credentials",
    "GitHub's login": ".config/gh/hosts.yml",
    "npm's token": ".npmrc",
    "PyPI's token": ".pypirc",
    "cargo's token": ".cargo/credentials.toml",
    "gradle's passwords": ".gradle/gradle.properties",
    "maven's passwords": ".m2/settings.xml",
    "a browser's logins": ".mozilla/firefox/x.default/logins.json",
    "another browser's cookies": ".config/google-chrome/Default/Cookies",
    "the keyring": ".local/share/keyrings/login.keyring",
    "a password store": ".password-store/bank.gpg",
    "the shell's history": ".bash_history",
    "a database's password": ".pgpass",
    "another CLI's login": ".codex/auth.json",
    "the bot's token": ".config/samoloop/config.yaml",
    "Hugging Face's token": ".cache/huggingface/token",
    "a browser's cache": ".cache/mozilla/firefox/x/entry",
    "RubyGems' key": ".gem/credentials",
    "sbt's passwords": ".ivy2/.credentials",
    "uv's logins": ".local/share/uv/credentials/credentials.toml",
    "another project": "code/other/.env",
}

# What would be run, or obeyed, outside later on.
PLANTED = {
    "the shell's start file": "$HOME/.bashrc",
    "a key that may log in": "$HOME/.ssh/authorized_keys",
    "git's own settings": "$HOME/.gitconfig",
    "a program on the person's PATH": "$HOME/.local/bin/git",
    "a unit of the person's systemd": "$HOME/.config/systemd/user/x.service",
    "what starts with the desktop": "$HOME/.config/autostart/x.desktop",
    "samoloop's settings": "$HOME/.config/samoloop/config.yaml",
    "another project": "$HOME/code/other/.env",
    "the person's npm cache": "$HOME/.npm/_cacache/x",
    "the person's cache": "$HOME/.cache/pip/x",
    "the main checkout": "$REPO/hello.txt",
    "a new file in the main checkout": "$REPO/new.txt",
    "the project's settings": "$REPO/.samoloop.yaml",
    "the settings of git": "$REPO/.git/config",
    "a hook": "$REPO/.git/hooks/post-commit",
    "git's attributes": "$REPO/.git/info/attributes",
    "where git finds objects": "$REPO/.git/objects/info/alternates",
    "the person's index": "$REPO/.git/index",
    "HEAD of the main checkout": "$REPO/.git/HEAD",
    "another branch": "$REPO/.git/refs/heads/trunk",
    "another session's branch": "$REPO/.git/refs/heads/samoloop/b",
    "a new branch": "$REPO/.git/refs/heads/new",
    "the packed branches": "$REPO/.git/packed-refs",
    "another branch's log": "$REPO/.git/logs/refs/heads/trunk",
    "where this worktree's settings are": "$REPO/.git/worktrees/$NAME/commondir",
    "this worktree's settings": "$REPO/.git/worktrees/$NAME/config.worktree",
    "another session's worktree": "$WORKTREE_B/hello.txt",
    "another session's documents": "$SESSION_B/_overview.md",
    "another session's gate": "$SESSION_B/_qa.md",
    "another session's journal": "$CONTROL_B/_history.jsonl",
    "its journal": "$CONTROL/_history.jsonl",
    "its guidance": "$CONTROL/_inbox.md",
    "its task": "$SESSION/_task.md",
    "what the worker remembers of outside": "$CONTROL/_outside.json",
    "its settings, as the worker believes them": "$CONTROL/_settings.json",
    "an earlier log": "$CONTROL/_logs/000-earlier.jsonl",
    "an announcement": "$CONTROL/_outbox/999.json",
    "the next prompt": "$CONTROL/_logs/002-investigation.prompt.md",
    "the worker's lock": "$CONTROL/_lock",
}


def tries(name: str, does: str, prints: str = GOT, **more: Any) -> Attempt:
    return Attempt(name, does, prints, **more)


def nested(does: str) -> str:
    """In namespaces of its own, where it has all rights over what it makes there."""
    return f"unshare --user --map-root-user --mount --pid --fork sh -c '{does}'"


SSH = "$HOME/.ssh/id_ed25519"
OTHERS = (
    # Secrets, by other ways
    tries("read what the person has not committed", 'cat "$REPO/uncommitted.txt"', SECRET),
    tries("read the passwords of the system", f"grep -q ^root: /etc/shadow && echo {GOT}", spared=ONLY_ROOT),
    tries("read by a link in the worktree", 'ln -sfn "$HOME/.ssh" link; cat link/id_ed25519', SECRET),
    tries("read by a hard link", f'ln "{SSH}" hard; cat hard', SECRET),
    tries("read by another process's root", f'cat "/proc/$VICTIM/root{SSH}"', SECRET),
    tries("read by another process's folder", "cat /proc/$VICTIM/cwd/.ssh/id_ed25519", SECRET),
    tries("read the environment of all processes", f"grep -ahs {SECRET} /proc/[0-9]*/environ", SECRET),
    tries(
        "read the memory of a process",
        python(
            f"""
pid = int(os.environ["VICTIM"])
memory = open(f"/proc/{{pid}}/mem", "rb")
for line in open(f"/proc/{{pid}}/maps"):
    if " rw-p " in line:
        start, end = (int(word, 16) for word in line.split()[0].split("-"))
        memory.seek(start)
        print("{GOT}" if b"{SECRET}" in memory.read(end - start) else "")
"""
        ),
    ),
    tries(
        "open a file by its handle",
        python(
            """
handle = bytes.fromhex(os.environ["HANDLE"])
kind = int(os.environ["HANDLE_TYPE"])
mount = os.open("/usr", os.O_RDONLY)
packed = ctypes.create_string_buffer(struct.pack("Ii", len(handle), kind) + handle)
fd = libc.open_by_handle_at(mount, packed, os.O_RDONLY)
print(os.read(fd, 100).decode() if fd >= 0 else ctypes.get_errno())
"""
        ),
        SECRET,
        spared=ONLY_ROOT,
    ),
    tries(
        "read a disk below its file system",
        python(
            f"""
import stat
for entry in os.scandir("/dev"):
    if stat.S_ISBLK(entry.stat(follow_symlinks=False).st_mode):
        try:
            os.open(entry.path, os.O_RDONLY)
            print("{GOT}")
            break
        except OSError:
            pass
"""
        ),
        spared=ONLY_ROOT,
    ),
    tries("make a device file", f'rm -f "$T/node"; mknod "$T/node" b 7 0 && echo {GOT}', spared=ONLY_ROOT),
    # Processes outside
    tries("see the processes of others", f'[ -d "/proc/$VICTIM" ] && echo {GOT}'),
    tries(
        "see the worker",
        f"for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q 'samoloop [r]un' && echo {GOT}; done",
    ),
    tries(
        "open a file through the worker's descriptors",
        f"for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q 'samoloop [r]un' "
        f"&& ls -l $p/fd | grep -q _lock && echo {GOT}; done",
    ),
    Attempt("signal a process", "kill -USR1 $VICTIM; sleep 0.2", changed=has("{T}/signalled", "USR1")),
    tries("slow a process down", f"renice -n 19 -p $VICTIM && echo {GOT}"),
    tries("mark a process to be killed first", f"echo 999 > /proc/$VICTIM/oom_score_adj && echo {GOT}"),
    tries(
        "trace a process",
        python(
            f"""
pid = int(os.environ["VICTIM"])
if libc.ptrace(16, pid, 0, 0) == 0:
    os.waitpid(pid, 0)
    libc.ptrace(17, pid, 0, 0)
    print("{GOT}")
"""
        ),
    ),
    tries(
        "take a descriptor from a process",
        python(
            f"""
pidfd = os.pidfd_open(int(os.environ["VICTIM"]))
print("{GOT}" if libc.syscall(438, pidfd, 0, 0) >= 0 else ctypes.get_errno())
"""
        ),
    ),
    tries(
        "enter the namespaces of another process",
        python(
            f"""
found = os.open(f"/proc/{{os.environ['VICTIM']}}/ns/mnt", os.O_RDONLY)
print("{GOT}" if libc.setns(found, 0) == 0 else ctypes.get_errno())
"""
        ),
        spared=ONLY_ROOT,
    ),
    # What is shared by name
    tries(
        "reach an abstract socket",
        python('s = socket.socket(socket.AF_UNIX); s.connect("\\0" + os.environ["ABSTRACT"]); print(s.recv(99))'),
        SECRET,
    ),
    tries(
        "reach a socket in the person's home",
        python('s = socket.socket(socket.AF_UNIX); s.connect(os.environ["AGENT"]); print(s.recv(99))'),
        SECRET,
    ),
    tries(
        "reach a socket in /run",
        python('s = socket.socket(socket.AF_UNIX); s.connect(os.environ["SERVICE"]); print(s.recv(99))'),
        SECRET,
        spared={"user": "an ordinary user can make none there"},
    ),
    tries("read what lies in /tmp", 'cat "$SHARED"', SECRET),
    tries("read shared memory by its name", "cat /dev/shm/$ABSTRACT", SECRET),
    tries(
        "read shared memory by its number",
        python(
            """
libc.shmat.restype = ctypes.c_void_p
at = libc.shmat(int(os.environ["SHARED_ID"]), None, 0o10000)
print(ctypes.string_at(at, 40) if at and at != 2**64 - 1 else ctypes.get_errno())
"""
        ),
        SECRET,
    ),
    # Rights
    tries("become root by a set-uid program", f'[ "$(./setuid -u)" = 0 ] && echo {GOT}', who=("user",)),
    tries("take the cover off the home", f'umount "$HOME"; cat "{SSH}"', SECRET),
    tries("take the cover off /tmp", 'umount /tmp; cat "$SHARED"', SECRET),
    tries("mount", f'mkdir -p "$T/m"; mount -t tmpfs x "$T/m" && umount "$T/m" && echo {GOT}', spared=ONLY_ROOT),
    tries(
        "make the repository writable",
        f'mount -o remount,bind,rw "$REPO/.git"; mount -o remount,rw /; echo "# {GOT}" >> "$REPO/.git/description"; '
        f'cat "$REPO/.git/description"',
    ),
    tries(
        "leave by chroot",
        python(
            """
os.makedirs("jail", exist_ok=True)
root = os.open("/", os.O_RDONLY)
os.chroot("jail")
os.fchdir(root)
for _ in range(64):
    os.chdir("..")
os.chroot(".")
print(open(os.environ["HOME"] + "/.ssh/id_ed25519").read())
"""
        ),
        SECRET,
        spared=ONLY_ROOT,
    ),
    tries("take the cover off in namespaces of its own", nested(f'umount "$HOME"; cat "{SSH}"'), SECRET),
    Attempt(
        "make it writable in namespaces of its own",
        nested(
            'mount -o remount,bind,rw "$REPO/.git"; mount -o remount,bind,rw /; echo escaped-4c1d >> "$REPO/.git/x"'
        ),
        changed=has("{REPO}/.git/x"),
    ),
    tries(
        "see processes by another /proc",
        nested(f'mkdir -p p; mount -t proc p p; [ -d "p/$VICTIM" ] || [ -d "/proc/$VICTIM" ] && echo {GOT}'),
    ),
    tries(
        "change the kernel's settings",
        f'f=/proc/sys/kernel/core_pattern; v=$(cat $f); echo "$v" > $f && echo {GOT}',
        spared=ONLY_ROOT,
    ),
    tries(
        "make a control group",
        f"for f in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/pids; do "
        f"mkdir $f/escape-$$ && rmdir $f/escape-$$ && echo {GOT}; done",
        spared=ONLY_ROOT,
    ),
    tries("name the machine", f'hostname "$(hostname)" && echo {GOT}', spared=ONLY_ROOT),
    tries(
        "listen to the network below its protocols",
        python(f'socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300); print("{GOT}")'),
        spared=ONLY_ROOT,
    ),
    tries(
        "reach an open folder of the worker",
        python(
            f"""
import stat
for fd in range(3, 256):
    try:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            print("{GOT}")
    except OSError:
        pass
"""
        ),
        spared=dict.fromkeys(("root", "user"), "the worker hands on no folder"),
    ),
    # Roots and what is bound
    tries(
        "rename the journal away",
        f'mv "$CONTROL/_history.jsonl" "$CONTROL/x" && mv "$CONTROL/x" "$CONTROL/_history.jsonl" && echo {GOT}',
    ),
    tries(
        "rename the task away",
        f'mv "$SESSION/_task.md" "$SESSION/x" && mv "$SESSION/x" "$SESSION/_task.md" && echo {GOT}',
    ),
    tries(
        "rename the session's folder away", f'mv "$SESSION" "$SESSION.x" && mv "$SESSION.x" "$SESSION" && echo {GOT}'
    ),
    tries("rename the worktree away", f'mv "$WORKTREE" "$WORKTREE.x" && mv "$WORKTREE.x" "$WORKTREE" && echo {GOT}'),
    tries("rename the worktree's link to git away", f"mv .git .git.x && mv .git.x .git && echo {GOT}"),
    Attempt(
        "write by a hard link",
        f'ln "$REPO/.git/description" hard2; echo {MARK} >> hard2',
        changed=has("{REPO}/.git/description"),
    ),
    # With git
    tries("set git's configuration", f"git config alias.x y && git config --unset alias.x && echo {GOT}"),
    Attempt(
        "move another branch with git",
        "git branch -f other trunk~0; git update-ref refs/heads/other HEAD~0",
        changed=has("{REPO}/.git/refs/heads/other", ""),
    ),
    Attempt("remove a checkpoint", 'rm -rf "$REPO/.git/refs/samoloop"', changed=gone("{REPO}/.git/refs/samoloop")),
    Attempt(
        "remove the history",
        'rm -f "$REPO"/.git/objects/pack/*',
        changed=lambda told: not [*Path(told["REPO"]).glob(".git/objects/pack/*.pack")],
    ),
    tries("remove another worktree", f'git worktree remove --force "$WORKTREE_B" && echo {GOT}'),
    # With samoloop's own commands
    *(
        Attempt(f"samoloop {words}", f'cd "$REPO"; $SAMOLOOP {words} && echo {GOT}', GOT, spared=REFUSALS)
        for words in ("answer b Q1=A", "approve b", "stop b", "tell b x", "rewind b 1", "archive b --force")
    ),
    # What is left behind: looked at when the session is over
    Attempt(
        "leave a process behind",
        f'left="sleep {LEFT}; true"; setsid -f sh -c "$left" "left in $HOME"; '
        '(env -i setsid -f sh -c "$left" "left in $HOME" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-)',
        changed=lambda told: is_running(f"left in {told['HOME']}"),
        late=True,
        spared=dict.fromkeys(("root", "user"), "without a box the sweep over /proc ends it as well"),
    ),
    Attempt(
        "let the worker's git run what a repository in the worktree names",
        "git init -q sub; git -C sub -c user.name=x -c user.email=x@y commit -q --allow-empty -m x; "
        f'printf \'#!/bin/sh\\necho {MARK} > "%s/inner"\\n\' "$T" > evil.sh; chmod +x evil.sh; git add sub; '
        'git -C sub config core.fsmonitor "$PWD/evil.sh"; git -C sub config filter.x.clean "$PWD/evil.sh"; '
        'echo "* filter=x" > sub/.gitattributes; echo x > sub/file; rm -f "$T/inner"',
        changed=has("{T}/inner"),
        late=True,
        spared=dict.fromkeys(("root", "user"), "the worker's git looks into no other repository"),
    ),
    Attempt(
        "let the worker commit on another branch",
        "git symbolic-ref HEAD refs/heads/trunk; echo x > late.txt",
        changed=lambda told: tip(told) != told["TRUNK"],
        late=True,
        spared=dict.fromkeys(("root", "user"), "the worker commits on the session's branch only"),
    ),
)

ATTEMPTS = (
    *(tries(f"read {name}", f'cat "$HOME/{path}"', SECRET) for name, path in SECRETS.items()),
    *OTHERS,
    *(writes(name, path) for name, path in PLANTED.items()),  # last: without a box they leave little of the repository
)
