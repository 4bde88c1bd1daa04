"""How a project's tests are run, found from its files: one table."""

import json

import pytest

from samoloop.checks.discovery import definition, discover, make_recipe, worth_reading

UNITTEST = "import unittest\nclass T(unittest.TestCase): ..."
NPM = json.dumps({"scripts": {"test": "jest"}})

# What is there (path -> text), and what is found: (name, command).
TABLE = {
    "pytest by its section": ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, [("pytest", "python3 -m pytest")]),
    "pytest by its own file": ({"pytest.ini": ""}, [("pytest", "python3 -m pytest")]),
    "pytest by setup.cfg": ({"setup.cfg": "[tool:pytest]\n"}, [("pytest", "python3 -m pytest")]),
    "pytest by a conftest": ({"tests/conftest.py": ""}, [("pytest", "python3 -m pytest")]),
    "pytest by a dependency": (
        {"requirements-dev.txt": "pytest==8\n"}, [("pytest", "python3 -m pytest")],
    ),
    "pytest by plain functions": (
        {"test_a.py": "def test_a(): ..."}, [("pytest", "python3 -m pytest")],
    ),
    "a plugin alone is no pytest": ({"requirements.txt": "pytest-cov-report\n"}, []),
    "unittest": ({"tests/test_a.py": UNITTEST}, [("unittest", "python3 -m unittest discover -v -s tests")]),
    "unittest in a package": (
        {"tests/__init__.py": "", "tests/test_a.py": UNITTEST},
        [("unittest", "python3 -m unittest discover -v -s tests -t .")],
    ),
    "unittest beside the code": ({"test_a.py": UNITTEST}, [("unittest", "python3 -m unittest discover -v")]),
    "unittest by another name": (
        {"t/a_test.py": UNITTEST}, [("unittest", "python3 -m unittest discover -v -s t -p '*_test.py'")],
    ),
    "npm": ({"package.json": NPM}, [("npm test", "npm test")]),
    "pnpm": ({"package.json": NPM, "pnpm-lock.yaml": ""}, [("pnpm test", "pnpm test")]),
    "yarn": ({"package.json": NPM, "yarn.lock": ""}, [("yarn test", "yarn test")]),
    "what npm init writes is no test": (
        {"package.json": json.dumps({"scripts": {"test": 'echo "Error: no test specified" && exit 1'}})}, [],
    ),
    "a package.json that is broken": ({"package.json": "{"}, []),
    "a package.json that is something else": ({"package.json": "[1]"}, []),
    "cargo": ({"Cargo.toml": '[package]\nname = "a"\n'}, [("cargo test", "cargo test --no-fail-fast")]),
    "cargo, a workspace": (
        {"Cargo.toml": "[workspace]\n"}, [("cargo test", "cargo test --no-fail-fast --workspace")],
    ),
    "go": ({"go.mod": ""}, [("go test", "go test -v ./...")]),
    "maven": ({"pom.xml": ""}, [("maven", "mvn -B test")]),
    "maven by its wrapper": ({"pom.xml": "", "mvnw": ""}, [("maven", "sh ./mvnw -B test")]),
    "gradle": ({"build.gradle.kts": "", "gradlew": ""}, [("gradle", "sh ./gradlew --no-daemon test")]),
    ".NET": ({"a.sln": "", "A.Tests/A.Tests.csproj": ""}, [("dotnet test", "dotnet test")]),
    ".NET without tests": ({"a.sln": "", "A/A.csproj": ""}, []),
    "rspec": ({"Gemfile": "", "spec/a_spec.rb": ""}, [("rspec", "bundle exec rspec")]),
    "rake": ({"Rakefile": "Rake::TestTask.new\n"}, [("rake test", "rake test")]),
    "phpunit": ({"phpunit.xml.dist": ""}, [("phpunit", "vendor/bin/phpunit")]),
    "composer": ({"composer.json": json.dumps({"scripts": {"test": "pest"}})}, [("composer test", "composer test")]),
    "elixir": ({"mix.exs": ""}, [("mix test", "mix test")]),
    "make": ({"Makefile": "test: all\n\t./run\n"}, [("make test", "make test")]),
    "make check": ({"Makefile": "check:\n\t./run\n"}, [("make check", "make check")]),
    "a variable is no target": ({"Makefile": "test := 1\n"}, []),
    "make beside a language is the same tests": (
        {"Makefile": "test:\n\tpytest\n", "pytest.ini": ""}, [("pytest", "python3 -m pytest")],
    ),
    "two languages": (
        {"pytest.ini": "", "package.json": NPM}, [("pytest", "python3 -m pytest"), ("npm test", "npm test")],
    ),
    "two languages below": (
        {"back/pytest.ini": "", "front/package.json": NPM},
        [("back/pytest", "python3 -m pytest"), ("front/npm test", "npm test")],
    ),
    "another language below": (
        {"pytest.ini": "", "web/package.json": NPM, "tools/a/pytest.ini": "", "c/Makefile": "test:\n\t./run\n"},
        [("pytest", "python3 -m pytest"), ("web/npm test", "npm test")],
    ),
    "examples and dependencies are not the project": (
        {"node_modules/a/package.json": NPM, "examples/a/pytest.ini": "", "vendor/b/go.mod": ""}, [],
    ),
    "no tests at all": ({"README.md": "", "src/a.c": "", "hello.txt": ""}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_discovery(name):
    files, wanted = TABLE[name]
    texts = {path: files[path] for path in worth_reading(files)}
    assert [(check.name, check.command) for check in discover(files, texts)] == wanted


def test_a_check_below_runs_in_its_folder():
    files = {"back/pytest.ini": "", "back/tests/test_a.py": ""}
    (check,) = discover(files, {})
    assert (check.folder, check.source) == ("back", "back/pytest.ini")


def test_only_what_tells_is_read():
    paths = ["pyproject.toml", "src/a.py", "a/b/c/package.json", "node_modules/x/package.json"]
    tests = [f"tests/test_{n}.py" for n in range(1000)]
    assert worth_reading([*paths, *tests])[0] == "pyproject.toml"
    assert len(worth_reading([*paths, *tests])) < 50


def test_what_stands_behind_a_command():
    texts = {"package.json": NPM, "Makefile": "test: x\n\tpytest\n\nother:\n\techo\n"}
    assert definition("npm test", texts) == (
        "package.json",
        json.dumps({"pretest": None, "test": "jest", "posttest": None}),
    )
    assert definition("make test", texts) == ("Makefile", "test: x\n\tpytest\n")
    assert definition("pytest -q", texts) == ("", "")


def test_a_rule_of_a_makefile_ends_where_the_next_begins():
    text = "all: x\n\techo\ntest: x\n\t./a\n\n# why\n\t./b\nother: y\n\techo\n"
    assert make_recipe(text, "test") == "test: x\n\t./a\n\n# why\n\t./b\n"
    assert make_recipe("testing: x\n", "test") == ""


@pytest.mark.parametrize("text", ["[" * 100_000, '{"scripts": ' * 5000, "\0\xff", "a" * 100_000])
def test_a_broken_manifest_is_no_check_and_no_error(text):
    for name in ("package.json", "Cargo.toml", "composer.json", "pyproject.toml", "Makefile"):
        assert all(check.name == "cargo test" for check in discover([name], {name: text}))
