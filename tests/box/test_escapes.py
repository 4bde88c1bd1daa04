"""What a child tries to get out of its box: nothing of it works there, and without a box all of it does."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from escape_lab import NOBODY_IN_PARTICULAR, Scene, python_of, scene, try_all

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the box is Linux's"),
    pytest.mark.timeout(120),
]
CAP_SYS_ADMIN, CAP_MKNOD = 21, 27
WHO = ["root", "user"]


@pytest.fixture(params=WHO)
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def person(who: str) -> Iterator[Scene]:
    """As root where the tests run as root; as an ordinary user always."""
    if who == "root" and os.getuid() != 0:
        pytest.skip("the tests do not run as root")
    uid = 0 if who == "root" else os.getuid() or NOBODY_IN_PARTICULAR
    python = python_of(uid)
    if python is None:
        pytest.skip(f"user {uid} has no Python here that can read this installation")
    with scene(uid, python) as found:
        yield found


def has_all_rights() -> bool:
    """Whether root is more here than an ordinary user: not so in most containers."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")]
    return bool(int(line.split()[1], 16) >> CAP_MKNOD & int(line.split()[1], 16) >> CAP_SYS_ADMIN & 1)


def test_nothing_that_a_child_tries_leaves_its_box(person: Scene):
    found = try_all(person, "required")
    assert len(found) == len(person.attempts) >= 40
    assert {name: said for name, (worked, said) in found.items() if worked} == {}


def test_without_a_box_each_of_them_works_or_is_harmless_for_a_reason(person: Scene):
    found = try_all(person, "off")
    who = person.who if has_all_rights() else "user"
    spared = {attempt.name for attempt in person.attempts if who in attempt.spared}
    assert {name: said for name, (worked, said) in found.items() if not worked and name not in spared} == {}
