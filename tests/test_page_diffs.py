"""Patches of a real git, by file, as the page shows them."""

from pathlib import Path

import pytest
from kit import git, make_repo

from samoloop.git.calls import Git
from samoloop.git.compare import changed_files, patch_of
from samoloop.ui.web.diffs import LONGEST_LINE, FileDiff, by_file

WEIRD = 'we"ird\n\x1b[31m\u202ename.py'


class Repo:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Git(root / ".git")

    def commit(self, **files: str | bytes | None) -> str:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "--allow-empty", "-m", "x")
        return git(self.root, "rev-parse", "HEAD").strip()

    def files(self, old: str, new: str, most_lines: int = 1000) -> list[FileDiff]:
        return by_file(patch_of(self.store, old, new, changed_files(self.store, old, new)), most_lines)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    root = make_repo(tmp_path / "repo")
    for key in ("diff.noprefix", "diff.suppressBlankEmpty", "diff.mnemonicPrefix"):  # as some people like it
        git(root, "config", key, "true")
    return Repo(root)


def lines(file: FileDiff) -> list[tuple[str, int | None, int | None, str]]:
    return [(line.sign, line.old, line.new, line.words) for hunk in file.hunks for line in hunk.lines]


def test_lines_stand_under_their_numbers_in_the_colours_of_their_language(repo):
    old = repo.commit(**{"a.py": "def f():\n    return 1\n\n\nx = 'y'\n"})
    new = repo.commit(**{"a.py": "def f():\n    return 2\n    # <b>\n\n\nx = 'y'\n"})
    (file,) = repo.files(old, new)
    assert file.name == "a.py"
    assert lines(file)[:4] == [
        (" ", 1, 1, "def f():"),
        ("-", 2, None, "    return 1"),
        ("+", None, 2, "    return 2"),
        ("+", None, 3, "    # <b>"),
    ]
    html = [line.html for line in file.hunks[0].lines]
    assert html[0] == '<span class="hl-k">def</span> <span class="hl-f">f</span>():'
    assert html[3] == '    <span class="hl-c"># &lt;b&gt;</span>'


def test_what_became_of_a_file_is_said(repo):
    long = "".join(f"line {number}\n" for number in range(30))
    old = repo.commit(
        **{"gone.txt": "a\n", "old.txt": long, "bin": b"\0\1", "run.sh": "a\n", "big.txt": "x\n" * 600_000}
    )
    (repo.root / "run.sh").chmod(0o755)
    (repo.root / "link").symlink_to("/etc/passwd")
    new = repo.commit(
        **{
            "gone.txt": None,
            "old.txt": None,
            "new name.txt": long + "more\n",
            "bin": b"\0\2",
            "big.txt": "x\n" * 600_001,
        }
    )
    found = {file.name: file.facts for file in repo.files(old, new)}
    assert found == {
        "gone.txt": ["deleted"],
        "new name.txt": ["renamed from old.txt"],
        "bin": ["binary, or more than 1 MB"],
        "big.txt": ["binary, or more than 1 MB"],
        "run.sh": ["mode 100644 → 100755"],
        "link": ["new, a link"],
    }
    counted = {file.name: file.lines for file in changed_files(repo.store, old, new)}
    assert counted["bin"] is None
    assert counted["new name.txt"] == (1, 0)


def test_a_name_only_shows(repo):
    old = repo.commit()
    first = repo.commit(**{WEIRD: "a\n", "two  spaces": "a\n", "caf\u00e9": "a\n"})
    shown = 'we"ird␊␛[31m\ufffdname.py'
    assert {file.name for file in repo.files(old, first)} == {shown, "two  spaces", "caf\u00e9"}
    second = repo.commit(**{WEIRD: None, 'b"\t': "a\n"})
    (file,) = repo.files(first, second)
    assert (file.name, file.facts) == ('b"␉', [f"renamed from {shown}"])
    third = repo.commit(**{'b"\t': b"\0"})
    assert [file.name for file in repo.files(second, third)] == ['b"␉']
    (file,) = changed_files(repo.store, second, third)
    assert file.name == 'b"\t'


def test_what_a_file_holds_cannot_pass_for_the_patch_around_it(repo):
    evil = "diff --git a/x b/x\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n\\ No newline\nBinary files a/x and b/x differ\n"
    old = repo.commit(**{"a.txt": evil})
    new = repo.commit(**{"a.txt": "-- b\n++ c\n"})
    (file,) = repo.files(old, new)
    assert (file.name, file.facts) == ("a.txt", [])
    assert [words for sign, *_, words in lines(file) if sign == "+"] == ["-- b", "++ c"]
    assert "".join(f"{words}\n" for sign, *_, words in lines(file) if sign == "-") == evil


def test_line_ends_and_a_missing_one_are_seen(repo):
    old = repo.commit(**{"a.txt": "a\r\nb"})
    new = repo.commit(**{"a.txt": "a\nb\n"})
    (file,) = repo.files(old, new)
    assert [line.html for line in file.hunks[0].lines] == ["a␍", "b", "a", "b"]
    assert [line.note for line in file.hunks[0].lines] == ["", "no newline at its end", "", ""]
    (file,) = repo.files(new, repo.commit(**{"a.txt": "a\nc"}))
    assert [line.note for line in file.hunks[0].lines] == ["", "", "no newline at its end"]


def test_what_is_huge_is_cut_and_counted(repo):
    old = repo.commit()
    new = repo.commit(**{"a.py": "x = 1\n" * 5000, "b.js": "y" * 100_000})
    a, b = repo.files(old, new, 100)
    assert (len(lines(a)), a.left_out) == (100, 4900)
    assert lines(b)[0][3].endswith(f"… and {100_000 - LONGEST_LINE:,} characters more")


def test_a_patch_that_ends_early_or_is_none_is_shown_as_far_as_it_goes():
    assert by_file("", 10) == []
    assert by_file("words\n@@ -1 +1 @@\n", 10) == []
    (file,) = by_file("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@ f\n a\n-b", 10)
    assert [line.words for line in file.hunks[0].lines] == ["a", "b"]
