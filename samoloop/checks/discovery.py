"""How a project's tests are run, found from its own files. Pure: paths and texts in, checks out.

A project is looked at in its own folder, and for languages that are not found there in the folders below it, two deep.
Each language that is found gives a check; a Makefile only where no language does, because it usually runs the same.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from samoloop.base.values import frozen
from samoloop.checks.check import Check

MOST = 8  # checks that are found in one project
READ_BYTES = 500_000  # of a file that is worth reading
_SAMPLE = 20  # test files that are read to tell who runs them
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_MANIFESTS = frozenset(
    {
        *("pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "pytest.ini", ".pytest.ini", "Pipfile", "noxfile.py"),
        *("package.json", "Cargo.toml", "composer.json", "Gemfile", "Rakefile", *_MAKEFILES),
    }
)
_REQUIREMENTS = re.compile(r"[\w.-]*requirements[\w.-]*\.(?:txt|in)")
_PYTHON_TEST = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests?)\.py$")
_SKIPPED = re.compile(r"(?:^|/)(?:\.[^/]+|node_modules|vendor|third_party|examples?|fixtures?|testdata)/")
_NO_SCRIPT = "no test specified"  # what `npm init` writes


@frozen
class Place:
    """A folder of the project, with all that is below it."""

    folder: str  # empty: the project's own
    paths: Collection[str]  # relative to the folder
    texts: Mapping[str, str]  # of the files that are worth reading, by such a path

    def has(self, *names: str) -> bool:
        return any(name in self.paths for name in names)

    def check(self, name: str, command: str, source: str, *, junit: tuple[str, ...] = ()) -> Check:
        before = f"{self.folder}/" if self.folder else ""
        found = Check(name=before + name, command=command, source=before + source, folder=self.folder, junit=junit)
        behind, defined = definition(command, self.texts)
        return found.but(behind=before + behind, defined=defined) if behind else found


def worth_reading(paths: Iterable[str]) -> list[str]:
    """The files that `discover` wants to read: manifests, and some Python tests."""
    found: list[str] = []
    tests: list[str] = []
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):
        name = path.rpartition("/")[2]
        if _SKIPPED.search(path):
            continue
        if path.count("/") <= 2 and (name in _MANIFESTS or _REQUIREMENTS.fullmatch(name)):
            found.append(path)
        elif _PYTHON_TEST.search(path) and len(tests) < _SAMPLE:
            tests.append(path)
    return found[: _SAMPLE * 5] + tests


def discover(paths: Collection[str], texts: Mapping[str, str]) -> list[Check]:
    """The checks of a project with these files; `texts` are those of `worth_reading`, as far as they can be read."""
    root = Place("", frozenset(paths), texts)
    own = {look: list(look(root)) for look in _LANGUAGES}
    found = [check for checks in own.values() for check in checks]
    if not found and (made := list(_make(root))):
        return made
    others, alone = [look for look in _LANGUAGES if not own[look]], not found
    for folder in _folders(paths):
        if not any(folder.startswith(f"{check.folder}/") for check in found):
            place = _place(folder, paths, texts)
            below = [check for look in others for check in look(place)]
            found += below or (_make(place) if alone else ())
    return found[:MOST]


def _folders(paths: Iterable[str]) -> list[str]:
    """Folders with a manifest, at most two deep, the upper ones first."""
    found = {
        folder
        for path in paths
        for folder, _, name in [path.rpartition("/")]
        if folder and folder.count("/") < 2 and (name in _MANIFESTS or name in _MARKS) and not _SKIPPED.search(path)
    }
    return sorted(found, key=lambda folder: (folder.count("/"), folder))


def _place(folder: str, paths: Iterable[str], texts: Mapping[str, str]) -> Place:
    start = f"{folder}/"
    below = frozenset(path.removeprefix(start) for path in paths if path.startswith(start))
    return Place(folder, below, {p.removeprefix(start): text for p, text in texts.items() if p.startswith(start)})


# --- the languages ----------------------------------------------------------------------------------------------------


def _python(place: Place) -> Iterator[Check]:
    tests = sorted(path for path in place.paths if _PYTHON_TEST.search(path) and not _SKIPPED.search(path))
    if source := _pytest_hint(place):
        yield place.check("pytest", "python3 -m pytest", source)
        return
    if not tests:
        return
    sample = [place.texts.get(path, "") for path in tests]
    if any(re.search(r"^\s*(?:import|from) pytest\b", text, re.MULTILINE) for text in sample):
        yield place.check("pytest", "python3 -m pytest", tests[0])
    elif any(re.search(r"^\s*(?:import|from) unittest\b|\bTestCase\b", text, re.MULTILINE) for text in sample):
        yield place.check("unittest", f"python3 -m unittest discover -v{_unittest_words(tests, place)}", tests[0])
    elif any(re.search(r"^(?:async )?def test_", text, re.MULTILINE) for text in sample):
        yield place.check("pytest", "python3 -m pytest", tests[0])


def _pytest_hint(place: Place) -> str:
    """The file that says that pytest runs the tests; empty for none."""
    for name in ("pytest.ini", ".pytest.ini"):
        if place.has(name):
            return name
    sections = {"pyproject.toml": r"^\[tool\.pytest", "setup.cfg": r"^\[tool:pytest\]", "tox.ini": r"^\[pytest\]"}
    for name, section in sections.items():
        if re.search(section, place.texts.get(name, ""), re.MULTILINE):
            return name
    if conftests := [path for path in place.paths if re.search(r"(?:^|/)conftest\.py$", path)]:
        usual = [path for path in conftests if not _SKIPPED.search(path)]
        if usual:
            return min(usual, key=lambda path: (path.count("/"), path))
    for name, text in sorted(place.texts.items()):
        is_manifest = name in ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "Pipfile", "noxfile.py")
        if (is_manifest or _REQUIREMENTS.fullmatch(name)) and re.search(r"(?<![\w-])pytest(?![\w-])", text):
            return name
    return ""


def _unittest_words(tests: list[str], place: Place) -> str:
    """Where the tests are and what they are called, for `unittest discover`."""
    tops = {path.partition("/")[0] for path in tests if "/" in path}
    in_root = any("/" not in path for path in tests)
    words = ""
    if not in_root and len(tops) == 1:
        top = tops.pop()
        plain = re.fullmatch(r"[\w.-]+", top)
        if plain and not top.startswith("-"):
            words = f" -s {top} -t ." if place.has(f"{top}/__init__.py") else f" -s {top}"
    names = [path.rpartition("/")[2] for path in tests]
    if not any(name.startswith("test") for name in names):
        words += " -p '*_test.py'"
    return words


def _node(place: Place) -> Iterator[Check]:
    scripts = _section(_json(place.texts.get("package.json", "")), "scripts")
    script = scripts.get("test")
    if not isinstance(script, str) or not script.strip() or _NO_SCRIPT in script:
        return
    runners = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun run", "bun.lock": "bun run"}
    command = next((runner for lock, runner in runners.items() if place.has(lock)), "npm") + " test"
    yield place.check(command, command, "package.json")


def _rust(place: Place) -> Iterator[Check]:
    text = place.texts.get("Cargo.toml", "")
    if place.has("Cargo.toml"):
        workspace = " --workspace" if "workspace" in _toml(text) else ""
        yield place.check("cargo test", f"cargo test --no-fail-fast{workspace}", "Cargo.toml")


def _go(place: Place) -> Iterator[Check]:
    if place.has("go.mod", "go.work"):
        yield place.check("go test", "go test -v ./...", "go.mod" if place.has("go.mod") else "go.work")


_SUREFIRE = ("target/surefire-reports/TEST-*.xml", "*/target/surefire-reports/TEST-*.xml")
_GRADLE = ("build/test-results/test/*.xml", "*/build/test-results/test/*.xml")


def _java(place: Place) -> Iterator[Check]:
    if place.has("pom.xml"):
        yield place.check("maven", f"{'sh ./mvnw' if place.has('mvnw') else 'mvn'} -B test", "pom.xml", junit=_SUREFIRE)
    elif source := next((name for name in ("build.gradle", "build.gradle.kts") if place.has(name)), ""):
        wrapper = "sh ./gradlew" if place.has("gradlew") else "gradle"
        yield place.check("gradle", f"{wrapper} --no-daemon test", source, junit=_GRADLE)


def _dotnet(place: Place) -> Iterator[Check]:
    solutions = sorted(path for path in place.paths if re.fullmatch(r"[^/]+\.(?:sln|slnx|csproj|fsproj)", path))
    has_tests = any(re.search(r"test[^/]*\.(?:cs|fs|vb)proj$", path, re.IGNORECASE) for path in place.paths)
    if solutions and has_tests:
        yield place.check("dotnet test", "dotnet test", solutions[0])


def _ruby(place: Place) -> Iterator[Check]:
    bundled = "bundle exec " if place.has("Gemfile") else ""
    if place.has(".rspec") or any(re.fullmatch(r"spec/.*_spec\.rb", path) for path in place.paths):
        yield place.check("rspec", f"{bundled}rspec", "Gemfile" if bundled else "spec")
    elif place.has("bin/rails") and any(path.startswith("test/") for path in place.paths):
        yield place.check("rails test", "ruby bin/rails test", "bin/rails")
    elif re.search(r"TestTask|:test\b|\btask\s+['\"]?test", place.texts.get("Rakefile", "")):
        yield place.check("rake test", f"{bundled}rake test", "Rakefile")


def _php(place: Place) -> Iterator[Check]:
    if composer_script(place.texts.get("composer.json", "")):
        yield place.check("composer test", "composer test", "composer.json")
    elif source := next((name for name in ("phpunit.xml", "phpunit.xml.dist") if place.has(name)), ""):
        yield place.check("phpunit", "vendor/bin/phpunit", source)


def _elixir(place: Place) -> Iterator[Check]:
    if place.has("mix.exs"):
        yield place.check("mix test", "mix test", "mix.exs")


_MARKS = frozenset({"go.mod", "go.work", "pom.xml", "build.gradle", "build.gradle.kts", "mix.exs", "conftest.py"})
_LANGUAGES: tuple[Callable[[Place], Iterator[Check]], ...] = (
    _python,
    _node,
    _rust,
    _go,
    _java,
    _dotnet,
    _ruby,
    _php,
    _elixir,
)


def _make(place: Place) -> Iterator[Check]:
    name = next((name for name in _MAKEFILES if place.has(name)), "")
    for target in ("test", "check"):
        if make_recipe(place.texts.get(name, ""), target):
            yield place.check(f"make {target}", f"make {target}", name)
            return


# --- what stands behind a command -------------------------------------------------------------------------------------


def definition(command: str, texts: Mapping[str, str]) -> tuple[str, str]:
    """The file that says what a command does, and what it says; empty for a command that says it itself."""
    if re.fullmatch(r"(?:npm|pnpm|yarn|bun)(?: run)? (?:test|t)\b.*", command):
        return ("package.json", npm_scripts(texts["package.json"])) if "package.json" in texts else ("", "")
    if re.fullmatch(r"composer(?: run(?:-script)?)? test\b.*", command):
        return ("composer.json", composer_script(texts["composer.json"])) if "composer.json" in texts else ("", "")
    if made := re.fullmatch(r"make ([\w.-]+)", command):
        name = next((name for name in _MAKEFILES if name in texts), "")
        return (name, make_recipe(texts[name], made[1])) if name else ("", "")
    return "", ""


def npm_scripts(text: str) -> str:
    """What `npm test` does, of a package.json: the script and those around it."""
    scripts = _section(_json(text), "scripts")
    return json.dumps({name: scripts.get(name) for name in ("pretest", "test", "posttest")})


def composer_script(text: str) -> str:
    """What `composer test` does; empty for nothing."""
    script = _section(_json(text), "scripts").get("test")
    return json.dumps(script) if script else ""


def make_recipe(text: str, target: str) -> str:
    """The rule of a target in a Makefile, as it stands there; empty for none."""
    rule = re.compile(rf"^{re.escape(target)}[ \t]*::?(?!=).*\n(?:(?:\t.*|[ \t]*|#.*)\n)*", re.MULTILINE)
    return "".join(match[0].rstrip() + "\n" for match in rule.finditer(text.rstrip("\n") + "\n"))


# --- reading ----------------------------------------------------------------------------------------------------------


def _json(text: str) -> Mapping[str, Any]:
    """A JSON object; empty for anything else: a broken manifest is no check."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _toml(text: str) -> Mapping[str, Any]:
    import tomllib  # only here

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}
