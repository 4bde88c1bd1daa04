"""Objects that samoloop writes itself are the ones that git would write."""

import os
import stat
from pathlib import Path

import pytest
from git_scene import git, isolate, write

from samoloop.base.errors import GitError
from samoloop.git.objects import Objects


@pytest.fixture(params=["sha1", "sha256"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    isolate(monkeypatch, tmp_path / "home")
    git(tmp_path, "init", "--quiet", f"--object-format={request.param}", "project")
    return tmp_path / "project"


def _objects(repository: Path) -> Objects:
    return Objects.of(repository / ".git", git(repository, "hash-object", "-t", "tree", "/dev/null"))


def test_blobs_and_trees_are_gits_own(repository: Path) -> None:
    names = ["a", "a.b", "a-b/x", "a0", "żółw/x/y", "new\nline", os.fsdecode(b"\xff"), "b/c/d", "b/c.d", "b.c/e"]
    for name in names:
        write(repository, name, name.encode(errors="replace").decode() * 30)
    objects = _objects(repository)
    files = [(name, 0o100644, objects.blob((repository / name).read_bytes())) for name in names]
    git(repository, "add", ".")
    assert objects.tree(files) == git(repository, "write-tree")
    assert objects.tree([]) == git(repository, "hash-object", "-t", "tree", "/dev/null")


def test_everything_passes_gits_own_check(repository: Path) -> None:
    objects = _objects(repository)
    blob = objects.blob(b"content")
    tree = objects.tree([("run.sh", 0o100755, blob), ("sub/x", 0o100644, blob)])
    first = objects.commit(tree, [], b"First\n")
    second = objects.commit(tree, [first, first], "Zażółć\0\n\nbody\n".encode(), "Ada <a@example.org>")
    git(repository, "update-ref", "refs/x", second)
    assert git(repository, "fsck", "--full", "--strict", "--no-dangling") == ""
    assert git(repository, "log", "-1", "--format=%an|%cn|%B", second) == "Ada|samoloop|Zażółć\n\nbody"
    assert git(repository, "ls-tree", "-r", second) == f"100755 blob {blob}\trun.sh\n100644 blob {blob}\tsub/x"


def test_the_tree_of_a_commit_is_read_while_it_is_loose(repository: Path) -> None:
    objects = _objects(repository)
    commit = objects.commit(objects.tree([]), [], b"x\n")
    assert objects.tree_of(commit) == objects.tree([])
    assert objects.tree_of(objects.tree([])) is None
    git(repository, "update-ref", "refs/x", commit)
    git(repository, "gc", "--quiet", "--prune=now")
    assert objects.tree_of(commit) is None


def test_an_object_that_is_there_is_not_written_again(repository: Path) -> None:
    objects = _objects(repository)
    oid = objects.blob(b"content")
    path = repository / ".git/objects" / oid[:2] / oid[2:]
    before = path.stat()
    os.utime(path, (1, 1))
    assert objects.blob(b"content") == oid
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime > 1
    assert stat.S_IMODE(before.st_mode) & 0o222 == 0
    assert [entry.name for entry in path.parent.iterdir()] == [oid[2:]]


def test_objects_that_cannot_be_written_are_an_error_without_leftovers(repository: Path) -> None:
    folder = repository / ".git/objects"
    folder.rename(folder.with_name("away"))
    folder.write_text("a file")
    with pytest.raises(GitError, match="Nothing can be kept"):
        Objects(folder, "sha1").blob(b"content")


@pytest.mark.parametrize(
    "shared",
    [
        "",
        "false",
        "umask",
        "0",
        "true",
        "group",
        "1",
        "all",
        "world",
        "everybody",
        "2",
        "0640",
        "0666",
        "0600",
        "660",
        "0777",
        "on",
    ],
)
@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
def test_modes_are_the_ones_that_git_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: str, umask: int
) -> None:
    isolate(monkeypatch, tmp_path / "home")
    git(tmp_path, "init", "--quiet", "project")
    repository = tmp_path / "project"
    if shared:
        git(repository, "config", "core.sharedRepository", shared)
    write(repository, "gits", "git's own\n")
    before = os.umask(umask)
    try:
        theirs = git(repository, "hash-object", "-w", "gits")
        ours = Objects.of(repository / ".git", theirs).blob(b"ours\n")
    finally:
        os.umask(before)
    assert ours[:2] != theirs[:2], "both in one folder prove nothing about folders"
    assert _modes(repository, ours) == _modes(repository, theirs)


def _modes(repository: Path, oid: str) -> tuple[str, str]:
    path = repository / ".git/objects" / oid[:2] / oid[2:]
    return oct(path.parent.stat().st_mode), oct(path.stat().st_mode)
