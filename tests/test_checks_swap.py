"""Which files are put in place for old tests on new code, and for new tests on old code."""

import json
import tomllib

import pytest

from samoloop.checks.check import Check
from samoloop.checks.discovery import definition
from samoloop.checks.swap import (
    Swap,
    excuses,
    is_test,
    lists,
    mixtures,
    new_tests,
    old_tests,
    partly,
    redefined,
    section,
    whole,
)
from samoloop.git.tree_files import Change

TESTS = (
    *("tests/test_a.py", "test_a.py", "a/b_test.py", "conftest.py", "tests/data/x.bin", "src/test/java/A.java"),
    *("a.test.ts", "src/a.spec.js", "a/__tests__/b.js", "a/__snapshots__/b.snap", "test.js", "a_test.go"),
    *("FooTest.java", "Foo.Tests/BarTests.cs", "spec/a_spec.rb", "test/a_test.exs", "tests/FooTest.php"),
    *("jest.config.js", "pytest.ini"),
)  # fmt: skip
CODE = ("a.py", "src/contest.py", "latest.js", "attest.go", "src/protest/a.py", "Testing.md", "greatest.rb", "Makefile")


@pytest.mark.parametrize("path", TESTS)
def test_tests(path):
    assert is_test(path)


@pytest.mark.parametrize("path", CODE)
def test_code(path):
    assert not is_test(path)


def changed(path):
    return Change(path, True, True)


def came(path):
    return Change(path, False, True)


def went(path):
    return Change(path, True, False)


def nothing_listed(path):
    return False


def test_old_tests_are_back_and_new_ones_gone():
    found = [
        changed("a.py"),
        changed("tests/test_a.py"),
        went("tests/test_b.py"),
        came("tests/test_c.py"),
        came("b.py"),
    ]
    assert old_tests(found, "base", nothing_listed, {}) == Swap(
        "base", ("tests/test_a.py", "tests/test_b.py"), ("tests/test_c.py",)
    )


def test_where_no_old_test_was_touched_there_is_nothing_to_swap():
    assert old_tests([changed("a.py"), came("tests/test_c.py")], "base", nothing_listed, {}).is_empty


def test_what_the_plan_lists_may_change():
    found = [changed("tests/test_a.py"), went("tests/test_b.py")]
    swap = old_tests(found, "base", lambda path: path == "tests/test_a.py", {})
    assert swap.back == ("tests/test_b.py",)


def test_the_configuration_of_the_tests_is_one_of_them():
    assert old_tests([], "base", nothing_listed, {"pyproject.toml": "x"}).written == {"pyproject.toml": "x"}
    assert old_tests([went("conftest.py")], "base", nothing_listed, {}).back == ("conftest.py",)


def test_new_tests_meet_the_old_code():
    found = [changed("a.py"), went("b.py"), came("c.py"), came("tests/test_c.py"), changed("tests/test_a.py")]
    assert new_tests(found, "base") == Swap("base", ("a.py", "b.py"), ("c.py",))
    assert new_tests([changed("a.py"), went("tests/test_a.py")], "base").is_empty


def test_the_base_itself():
    assert whole([changed("a"), went("b"), came("c")], "base") == Swap("base", ("a", "b"), ("c",))


PYPROJECT = '[project]\nname = "a"\n\n[tool.pytest.ini_options]\naddopts = "-q"\n\n[tool.ruff]\nline-length = 100\n'


def test_only_the_part_on_tests_goes_back():
    new = PYPROJECT.replace('"-q"', '"-k nothing"').replace('name = "a"', 'name = "a"\ndependencies = ["b"]')
    mixed = tomllib.loads(mixtures({"pyproject.toml": PYPROJECT}, {"pyproject.toml": new})["pyproject.toml"])
    assert mixed["tool"]["pytest"] == {"ini_options": {"addopts": "-q"}}
    assert mixed["project"]["dependencies"] == ["b"]
    assert mixed["tool"]["ruff"] == {"line-length": 100}


def test_where_that_part_did_not_change_nothing_goes_back():
    assert mixtures({"pyproject.toml": PYPROJECT}, {"pyproject.toml": PYPROJECT + "\n[tool.mypy]\n"}) == {}
    assert mixtures({"setup.cfg": "[metadata]\na = 1\n"}, {"setup.cfg": "[metadata]\na = 2\n"}) == {}
    assert mixtures({"package.json": '{"version": "1"}'}, {"package.json": '{"version": "2"}'}) == {}


def test_a_part_that_went_or_came_counts():
    without = PYPROJECT.replace('[tool.pytest.ini_options]\naddopts = "-q"\n', "")
    assert "addopts" in mixtures({"pyproject.toml": PYPROJECT}, {"pyproject.toml": without})["pyproject.toml"]
    assert "pytest" not in mixtures({"pyproject.toml": without}, {"pyproject.toml": PYPROJECT})["pyproject.toml"]
    assert "pytest" in mixtures({"setup.cfg": "[tool:pytest]\na = 1\n"}, {"setup.cfg": ""})["setup.cfg"]
    assert mixtures({"pyproject.toml": PYPROJECT}, {"pyproject.toml": "not toml ["})["pyproject.toml"] == PYPROJECT


def test_the_settings_of_a_runner_in_a_package_json():
    old = json.dumps({"jest": {"testMatch": ["**/*"]}, "scripts": {"test": "jest", "build": "a"}})
    new = json.dumps({"jest": {"testMatch": []}, "scripts": {"test": "jest", "build": "b"}, "dependencies": {"x": "1"}})
    mixed = json.loads(mixtures({"package.json": old}, {"package.json": new})["package.json"])
    assert mixed["jest"] == {"testMatch": ["**/*"]}
    assert mixed["scripts"] == {"test": "jest", "build": "b"}
    assert mixed["dependencies"] == {"x": "1"}


def test_files_of_which_a_part_counts():
    assert partly([changed("a/package.json"), changed("x.py"), came("pyproject.toml")]) == ["a/package.json"]


def a_check(command, behind, text):
    return Check(
        name="t", command=command, source=behind, behind=behind, defined=definition(command, {behind: text})[1]
    )


def test_a_child_that_redefines_npm_test_is_met_by_the_old_script():
    old = json.dumps({"scripts": {"test": "node --test", "build": "a"}})
    check = a_check("npm test", "package.json", old)
    new = json.dumps({"scripts": {"test": "echo 5 passing", "build": "b"}, "dependencies": {"x": "1"}})
    put = json.loads(redefined(check, new, old) or "")
    assert put == {"scripts": {"build": "b", "test": "node --test"}, "dependencies": {"x": "1"}}
    assert redefined(check, json.dumps({"scripts": {"test": "node --test"}, "dependencies": {}}), old) is None
    before = json.dumps({"scripts": {"pretest": "exit 0", "test": "node --test"}})
    assert redefined(check, before, old) is not None
    assert redefined(check, "", old) is not None, "removed"


def test_a_child_that_redefines_make_test_is_met_by_the_old_makefile():
    old = "SRC = a.c\ntest: all\n\t./run\n"
    check = a_check("make test", "Makefile", old)
    assert redefined(check, "test:\n\ttrue\n", old) == old
    assert redefined(check, old.replace("a.c", "a.c b.c"), old) is None, "another source file is no other test"


PLAN = """# Plan: x
## Tests that will change
- `tests/test_a.py`: the greeting is another one
- test_old_total goes, and all of `tests/legacy/`
```
## Checks
- `rm -rf /`
```
## Checks
- lint: `ruff check .`
"""


def test_what_a_plan_lists():
    text = section(PLAN, "tests that will change")
    assert lists(text, "tests/test_a.py")
    assert lists(text, "tests/legacy/test_x.py")
    assert not lists(text, "tests/test_b.py")
    assert excuses(text, "tests.test_b.T::test_old_total[1]")
    assert not excuses(text, "tests.test_b.T::test_new")
    assert not lists("none", "tests/test_a.py")


def test_a_heading_in_an_example_is_none():
    assert section(PLAN, "checks").strip() == "- lint: `ruff check .`"
    assert section("## **Checks**:\n- `x`", "checks").strip() == "- `x`"
