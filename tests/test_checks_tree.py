"""Facts of the tree as pure rules: what a file is by its name, what a phase may not change, what was made and lost."""

import pytest

from samoloop.checks.paths import is_test, is_text, may_hold_tests
from samoloop.checks.shortcut import guard, skipped
from samoloop.checks.tree import beyond, made
from samoloop.config.workflow_files import load
from samoloop.core.evidence import Weight
from samoloop.core.workflow import Changes

TESTS = [
    *("tests/test_a.py", "test_a.py", "a_test.py", "conftest.py", "pkg/tests/data.json", "a_test.go", "tests/util.rs"),
    *("src/app.test.ts", "app.spec.js", "__tests__/app.js", "src/__snapshots__/a.snap", "cypress/e2e/login.cy.ts"),
    *(
        "src/test/java/shop/CartTest.java",
        "CartTests.cs",
        "Shop.Tests/Cart.cs",
        "spec/cart_spec.rb",
        "test/cart_test.exs",
    ),
    *("tests/CartTest.php", "Tests/CartTests.swift", "testdata/x.txt"),
]
CODE = [
    *(
        "src/app.py",
        "app.js",
        "latest.py",
        "contest.py",
        "attestation/a.go",
        "src/main/java/shop/Cart.java",
        "greatest.ts",
    ),
    *(
        "inspect.py",
        "special/a.rb",
        "protest/x.py",
        "index.html",
        "data.json",
        "Dockerfile",
        ".github/workflows/ci.yml",
    ),
]
TEXTS = ["README.md", "docs/guide.rst", "LICENSE", "CHANGELOG", "a/notes.TXT", "logo.png", "CONTRIBUTING.md"]
NO_TEXTS = ["requirements.txt", "requirements-dev.txt", "CMakeLists.txt", "a.py", "docs/conf.py", "icon.svg", "x.html"]
BUILD = [
    "pyproject.toml",
    "package.json",
    "Cargo.toml",
    "go.sum",
    "src/lib.rs",
    "jest.config.ts",
    "Shop.csproj",
    ".gitignore",
]


@pytest.mark.parametrize(("path", "wanted"), [*((path, True) for path in TESTS), *((path, False) for path in CODE)])
def test_a_test_is_known_by_its_name(path, wanted):
    assert is_test(path) is wanted
    assert may_hold_tests(path) is wanted


@pytest.mark.parametrize(("path", "wanted"), [*((path, True) for path in TEXTS), *((path, False) for path in NO_TEXTS)])
def test_a_text_is_known_by_its_name(path, wanted):
    assert is_text(path) is wanted


@pytest.mark.parametrize("path", [*BUILD, *TEXTS])
def test_who_writes_tests_may_touch_what_they_need(path):
    assert may_hold_tests(path) and not is_test(path)


def test_what_a_phase_may_not_change():
    paths = ["src/a.py", "tests/test_a.py", "README.md", "pyproject.toml"]
    assert beyond(Changes.NOTHING, paths) == paths
    assert beyond(Changes.TESTS, paths) == ["src/a.py"]
    assert beyond(Changes.CODE, paths) == beyond(None, paths) == []


LOG = """0000 aaaa Ada <a@x> 100 +0000\tbranch: Created from HEAD
aaaa bbbb Ada <a@x> 150 +0000\tcommit: before
bbbb cccc Ada <a@x> 200 +0000\tcommit: the work
cccc dddd Ada <a@x> 201 +0000\tcommit (amend): the work
dddd bbbb Ada <a@x> 202 +0000\treset: moving to HEAD~1
"""


@pytest.mark.parametrize(
    ("since", "head", "commits"),
    [
        (199.7, "bbbb", ["cccc", "dddd"]),
        (150.0, "aaaa", ["bbbb", "cccc", "dddd"]),
        (150.0, "bbbb", ["cccc", "dddd"]),  # the one before was made in the same second
        (150.0, "eeee", ["bbbb", "cccc", "dddd"]),
        (203, "bbbb", []),
    ],
)
def test_the_commits_of_an_iteration_are_found_in_the_log_of_head(since, head, commits):
    assert made(LOG, since, head) == commits
    assert made("nonsense\n\t\n" + "x" * 1000, since, head) == []


# --- the shortcut guard -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workflow", "here", "target", "names"),
    [
        ("feature", "implementation", "quality", ["testing"]),
        ("feature", "testing", "done", ["quality"]),
        ("feature", "testing", "quality", []),
        ("feature", "quality", "testing", []),
        ("test", "exploration", "done", ["regression"]),
        ("feature", "done", None, []),
        ("research", "investigation", "done", []),
    ],
)
def test_phases_that_judge_the_work_can_be_walked_around(workflow, here, target, names):
    assert skipped(load(workflow, None), here, target) == names


@pytest.mark.parametrize(
    ("changed", "since", "refused"),
    [
        ([], {}, False),  # no change at all
        (["README.md"], {}, False),
        (["README.md", "src/a.py"], {}, True),
        (["src/a.py"], {"quality": []}, False),  # it has seen this very tree
        (["src/a.py"], {"quality": ["README.md"]}, False),
        (["src/a.py"], {"quality": ["src/a.py"]}, True),
        (["src/a.py"], {"testing": []}, True),
    ],
)
def test_quality_is_skipped_only_for_text_or_for_what_it_has_seen(changed, since, refused):
    found = guard(["quality"], changed, since)
    assert [seen.weight for seen in found] == [Weight.VETO] * refused
    assert all("Continue with quality" in seen.text for seen in found)
