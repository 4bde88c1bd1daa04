"""What a file of a project is by its name alone: a test, a text, or what says how the project is built and tested."""

import re

TEXTS = frozenset(
    {*("md", "markdown", "mdx", "rst", "txt", "adoc", "asciidoc", "org", "textile"), *("png", "jpg", "gif")}
)
_TEXT_NAMES = frozenset({"license", "licence", "copying", "notice", "authors", "contributors", "changelog", "readme"})
_NO_TEXT = re.compile(r"(requirements|constraints)[\w.-]*\.txt|cmakelists\.txt|(robots|ads|security)\.txt")
_TEST_FOLDERS = frozenset(
    {"test", "tests", "spec", "specs", "testing", "testdata", "__tests__", "__snapshots__", "e2e"}
)
_TEST_NAME = re.compile(
    r"(?:test|tests|conftest|spec)\.\w+|(?:test|spec)_.*|.*_(?:test|tests|spec)\.\w+|.*[.-](?:test|tests|spec|cy)\.\w+"
)
_TEST_CLASS = re.compile(
    r"\w*(?:Test|Tests|TestCase|Spec|IT)\.(?:java|kt|kts|cs|php|scala|groovy|swift|vb|fs)|Test[A-Z]\w*\.java"
)
_TEST_PROJECT = re.compile(r".*[.-]?tests?(?:\.\w+)?")
_BUILD = frozenset(
    {
        *("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "pytest.ini", "noxfile.py", "pipfile", "pipfile.lock"),
        *("poetry.lock", "uv.lock", "package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lockb"),
        *("cargo.toml", "cargo.lock", "go.mod", "go.sum", "makefile", "pom.xml", "gemfile", "gemfile.lock", "rakefile"),
        *("composer.json", "composer.lock", "phpunit.xml", "phpunit.xml.dist", "mix.exs", "mix.lock", "deno.json"),
        *(
            "build.gradle",
            "build.gradle.kts",
            "settings.gradle",
            "settings.gradle.kts",
            "cmakelists.txt",
            "tsconfig.json",
        ),
        *(".gitignore", ".coveragerc", "directory.packages.props", "directory.build.props"),
    }
)
_BUILD_NAME = re.compile(
    r"(?:requirements|constraints)[\w.-]*\.txt|(?:jest|vitest|vite|karma|playwright|cypress|mocha|babel)\.config\.\w+"
    r"|\.mocharc.*|.*\.(?:csproj|fsproj|vbproj|sln|gemspec)"
)
_INLINE = frozenset({"rs", "zig", "d"})  # languages whose tests stand in the code that they test


def is_text(path: str) -> bool:
    """Prose or a picture: nothing that could be run."""
    name = _name(path).lower()
    stem, dot, suffix = name.rpartition(".")
    return not _NO_TEXT.fullmatch(name) and (suffix in TEXTS if dot and stem else name in _TEXT_NAMES)


def is_test(path: str) -> bool:
    """A test, or what lies in a folder of tests, by the habits of many languages."""
    *folders, name = path.split("/")
    if any(folder.lower() in _TEST_FOLDERS or _is_test_project(folder) for folder in folders):
        return True
    return bool(_TEST_NAME.fullmatch(name.lower()) or _TEST_CLASS.fullmatch(name))


def may_hold_tests(path: str) -> bool:
    """What somebody who only writes tests may have to touch: tests, texts, and how the project is built and tested."""
    name = _name(path).lower()
    beside = name in _BUILD or bool(_BUILD_NAME.fullmatch(name)) or name.rpartition(".")[2] in _INLINE
    return beside or is_test(path) or is_text(path)


def _is_test_project(folder: str) -> bool:
    return "." in folder and bool(_TEST_PROJECT.fullmatch(folder.lower()))  # `Shop.Tests` of .NET


def _name(path: str) -> str:
    return path.rpartition("/")[2]
