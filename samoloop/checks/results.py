"""What a test run came to, by its JUnit files or by the summary that its runner prints. Pure, over bounded text.

What is counted here decides whether "exit 0" means anything: a run in which no test was counted proves nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from samoloop.base.values import frozen

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_NAMES, NAME_LENGTH = 2000, 200
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@frozen
class Counted:
    """Tests by what became of them."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failing: tuple[str, ...] = ()  # by name, as far as the runner tells
    skipping: tuple[str, ...] = ()

    @property
    def ran(self) -> int:
        return self.passed + self.failed

    @property
    def named(self) -> bool:
        """Whether each failed test is known by its name."""
        return len(self.failing) >= self.failed and len(self.failing) < MOST_NAMES

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            _names((*self.failing, *other.failing)),
            _names((*self.skipping, *other.skipping)),
        )


def _names(found: Iterable[str]) -> tuple[str, ...]:
    clean = (" ".join(name.split())[:NAME_LENGTH] for name in found)
    return tuple(dict.fromkeys(name for name in clean if name))[:MOST_NAMES]


# --- JUnit ------------------------------------------------------------------------------------------------------------


def from_junit(documents: Iterable[bytes]) -> Counted | None:
    """The tests of JUnit files; None where none of them can be read. One with a document type is not read at all."""
    from xml.etree import ElementTree  # only where a check leaves such files

    total: Counted | None = None
    for document in documents:
        if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
            continue
        try:
            root = ElementTree.fromstring(document)
        except (ElementTree.ParseError, RecursionError, ValueError, LookupError):
            continue
        total = (total or Counted()) + _suite(root)
    return total


def _suite(root: "Element") -> Counted:
    passed, failing, skipping, failed, skipped = 0, [], [], 0, 0
    for case in root.iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name")))) or "?"
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
            failing.append(name)
        elif "skipped" in kinds:
            skipped += 1
            skipping.append(name)
        else:
            passed += 1
    return Counted(passed, failed, skipped, _names(failing), _names(skipping))


# --- summaries --------------------------------------------------------------------------------------------------------


def from_output(text: str) -> Counted | None:
    """The tests by the summary of a runner that is known; None for one that is not, or that printed none."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    found = [counted for read in _RUNNERS if (counted := read(text)) is not None]
    return max(found, key=lambda counted: counted.ran + counted.skipped, default=None)


def _all(pattern: str, text: str) -> list[re.Match[str]]:
    return list(re.finditer(pattern, text, re.MULTILINE))


def _sum(found: Iterable[re.Match[str]]) -> int:
    return sum(int(match[1]) for match in found)


def _number(words: str, *kinds: str) -> int:
    """The numbers before these words in `3 failed, 2 passed`."""
    return sum(int(match[1]) for kind in kinds for match in re.finditer(rf"(\d+) {kind}\b", words))


def _after(words: str, *kinds: str) -> int:
    """The numbers after these words in `failures=3, errors: 2`."""
    return sum(int(match[1]) for kind in kinds for match in re.finditer(rf"\b{kind}(?:=|: )(\d+)", words, re.I))


def _pytest(text: str) -> Counted | None:
    found = _all(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+|no tests ran) in [\d.]+ ?s", text)
    total: Counted | None = None
    for match in found:
        words = match[1]
        total = (total or Counted()) + Counted(
            _number(words, "passed", "xfailed"),
            _number(words, "failed", "errors?", "xpassed"),
            _number(words, "skipped", "deselected"),
        )
    failing = [match[1] for match in _all(r"^(?:FAILED|ERROR) (\S+)", text)]
    return total + Counted(failing=_names(failing)) if total else None


def _unittest(text: str) -> Counted | None:
    total: Counted | None = None
    for match in _all(r"^Ran (\d+) tests? in [^\n]*\n\s*^(OK|FAILED|NO TESTS RAN)(.*)$", text):
        ran, words = int(match[1]), match[3]
        failed = _after(words, "(?<!expected )failures", "errors", "unexpected successes")
        skipped = _after(words, "skipped")
        total = (total or Counted()) + Counted(max(ran - failed - skipped, 0), failed, skipped)
    failing = [match[1] for match in _all(r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): (.+)$", text)]
    return total + Counted(failing=_names(failing)) if total else None


def _jest(text: str) -> Counted | None:
    """Jest's `Tests: 1 failed, 2 passed, 3 total`, Vitest's `Tests  2 passed (2)`, Pest's."""
    found = _all(r"^\s*Tests:? +((?:\d+ [a-z]+(?:, | \| )?)+)(?:, \d+ total| ?\(\d+(?: assertions)?\))?$", text)
    if not found:
        return None
    words = found[-1][1]
    failing = [match[1] for match in _all(r"^\s*(?:●|FAIL|×) +(.+ [›>] .+?)(?: \d+ms)?$", text)]
    return Counted(
        _number(words, "passed"),
        _number(words, "failed"),
        _number(words, "skipped", "todo", "pending"),
        _names(failing),
    )


def _mocha(text: str) -> Counted | None:
    passing = _all(r"^\s+(\d+) passing\b", text)
    if not passing:
        return None
    failing, pending = _all(r"^\s+(\d+) failing$", text), _all(r"^\s+(\d+) pending$", text)
    return Counted(_sum(passing), _sum(failing), _sum(pending))


def _tap(text: str) -> Counted | None:
    """TAP, and what `node --test` prints."""
    names = [match[1] for match in _all(r"^\s*not ok \d+ -? ?(.+?)(?: # .*)?$", text)]
    names += [match[1] for match in _all(r"^\s*✖ (.+?) \([\d.]+m?s\)$", text)]
    if passed := _all(r"^(?:#|ℹ) pass (\d+)$", text):
        failed, skipped = (_all(rf"^(?:#|ℹ) (?:{words}) (\d+)$", text) for words in ("fail|cancelled", "skipped|todo"))
        return Counted(_sum(passed), _sum(failed), _sum(skipped), _names(names))
    if not _all(r"^(?:TAP version \d+|\d+\.\.\d+)\b", text):
        return None
    left = _all(r"^(?:not )?ok \d+.*# (?:SKIP|TODO)", text)
    failures = _all(r"^not ok \d+(?!.*# (?:SKIP|TODO))", text)
    return Counted(len(_all(r"^ok \d+(?!.*# (?:SKIP|TODO))", text)), len(failures), len(left), _names(names))


def _ava(text: str) -> Counted | None:
    if not (found := _all(r"^\s+(\d+) tests? (passed|failed|skipped)$", text)):
        return None
    by = {word: _sum([match for match in found if match[2] == word]) for word in ("passed", "failed", "skipped")}
    return Counted(by["passed"], by["failed"], by["skipped"])


def _cargo(text: str) -> Counted | None:
    total: Counted | None = None
    for match in _all(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", text):
        total = (total or Counted()) + Counted(int(match[1]), int(match[2]), int(match[3]))
    failing = [match[1] for match in _all(r"^test (.+) \.\.\. FAILED$", text)]
    return total + Counted(failing=_names(failing)) if total else None


def _go(text: str) -> Counted | None:
    found = _all(r"^\s*--- (PASS|FAIL|SKIP): (\S+)", text)
    broken = [match[1] for match in _all(r"^FAIL\t(\S+) \[(?:build|setup) failed\]", text)]
    if not found and not broken:
        return None
    by = {word: [match[2] for match in found if match[1] == word] for word in ("PASS", "FAIL", "SKIP")}
    return Counted(
        len(by["PASS"]),
        len(by["FAIL"]) + len(broken),
        len(by["SKIP"]),
        _names([*by["FAIL"], *broken]),
        _names(by["SKIP"]),
    )


def _surefire(text: str) -> Counted | None:
    line = r"^(?:\[\w+\] )?Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)\s*$"
    total: Counted | None = None
    for ran, failures, errors, skipped in (map(int, match.groups()) for match in _all(line, text)):
        total = (total or Counted()) + Counted(ran - failures - errors - skipped, failures + errors, skipped)
    return total


def _dotnet(text: str) -> Counted | None:
    total: Counted | None = None
    for match in _all(r"^(?:Passed|Failed)! +- Failed: +(\d+), Passed: +(\d+), Skipped: +(\d+)", text):
        total = (total or Counted()) + Counted(int(match[2]), int(match[1]), int(match[3]))
    failing = [match[1] for match in _all(r"^\s+Failed (.+) \[[^\]]*\]$", text)]
    return total + Counted(failing=_names(failing)) if total else None


def _minitest(text: str) -> Counted | None:
    line = r"^(\d+) (?:runs|tests), \d+ assertions, (\d+) failures, (\d+) errors(?:, (\d+) (?:skips|pendings))?"
    total: Counted | None = None
    for ran, failures, errors, skipped in ([int(n or 0) for n in match.groups()] for match in _all(line, text)):
        total = (total or Counted()) + Counted(ran - failures - errors - skipped, failures + errors, skipped)
    return total


def _rspec(text: str) -> Counted | None:
    found = _all(r"^(\d+) examples?, (\d+) failures?(?:, (\d+) pending)?(?:, (\d+) errors? occurred)?", text)
    if not found:
        return None
    ran, failed, pending, errors = (int(number or 0) for number in found[-1].groups())
    names = [match[1] for match in _all(r"^rspec (\S+)", text)]
    return Counted(ran - failed - pending, failed + errors, pending, _names(names))


def _phpunit(text: str) -> Counted | None:
    if found := _all(r"^OK \((\d+) tests?, \d+ assertions?\)", text):
        return Counted(int(found[-1][1]))
    found = _all(r"^Tests: (\d+), Assertions: \d+(.*)$", text)
    if not found:
        return None
    words = found[-1][2]
    failed, skipped = _after(words, "Errors", "Failures"), _after(words, "Skipped", "Incomplete")
    names = [match[1] for match in _all(r"^\d+\) (\S+::.+)$", text)]
    return Counted(int(found[-1][1]) - failed - skipped, failed, skipped, _names(names))


def _exunit(text: str) -> Counted | None:
    found = _all(
        r"^((?:\d+ (?:doctests?|property|properties|tests?), )+)(\d+) failures?(?:, (\d+) (?:skipped|excluded))*", text
    )
    total: Counted | None = None
    for match in found:
        ran = _number(match[1], "doctests?", "property", "properties", "tests?")
        failed, skipped = int(match[2]), int(match[3] or 0)
        total = (total or Counted()) + Counted(ran - failed - skipped, failed, skipped)
    names = [match[1] for match in _all(r"^\s+\d+\) (?:test|property|doctest) (.+)$", text)]
    return total + Counted(failing=_names(names)) if total else None


def _ctest(text: str) -> Counted | None:
    found = _all(r"^\d+% tests passed, (\d+) tests? failed out of (\d+)", text)
    if not found:
        return None
    failed, ran = int(found[-1][1]), int(found[-1][2])
    return Counted(ran - failed, failed)


_RUNNERS: Sequence[Callable[[str], Counted | None]] = (
    _pytest,
    _unittest,
    _jest,
    _mocha,
    _tap,
    _ava,
    _cargo,
    _go,
    _surefire,
    _dotnet,
    _minitest,
    _rspec,
    _phpunit,
    _exunit,
    _ctest,
)

# --- what could not be run --------------------------------------------------------------------------------------------

_UNABLE = (
    r"python3?(?:\.\d+)?: No module named (?:pytest|unittest)\b",
    r"^(?:sh|bash|/bin/\w+)(?:: line)?(?:: \d+)?: .*(?:not found|Permission denied)$",
    r"^g?make(?:\[\d+\])?: (?:\S+: )?(?:No such file or directory|.*Error 12[67])$",
    r"Could not resolve (?:host|dependencies)|Temporary failure in name resolution|Network is unreachable",
    r"getaddrinfo (?:EAI_AGAIN|ENOTFOUND)|dial tcp: lookup |Non-resolvable (?:parent|import) POM",
    r"^bwrap: ",
)


def unable(exit_code: int | None, text: str) -> str:
    """Why a command that failed was not able to run any test at all; empty where it was."""
    text = _ANSI.sub("", text)
    for pattern in _UNABLE:
        if match := re.search(pattern + ".*" if not pattern.endswith("$") else pattern, text, re.MULTILINE):
            return " ".join(match[0].split())[:NAME_LENGTH]
    if exit_code in (126, 127):
        return f"exit code {exit_code}: a program is missing, or may not be run"
    return ""
