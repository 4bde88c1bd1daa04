"""Values are frozen dataclasses in all that the code relies on."""

from dataclasses import asdict, field, replace
from typing import ClassVar

import pytest

from samoloop.base.values import frozen


@frozen
class Point:
    x: int
    y: int = 0
    names: tuple[str, ...] = field(default=())


@frozen
class Named(Point):
    label: str = ""


@frozen
class Read:
    text: str
    raw: str = field(default="", compare=False, repr=False)


@frozen
class Quiet:
    secret: str

    def __repr__(self) -> str:
        return "Quiet"


@frozen
class Kind:
    words: ClassVar[dict[str, str]] = {"of": "the class"}
    name: str


def test_values_are_equal_and_hashed_by_their_fields() -> None:
    assert Point(1, 2) == Point(1, y=2) != Point(1)
    assert {Point(1, 2): "there"}[replace(Point(1), y=2)] == "there"
    assert Named(1, label="a") != Named(1, label="b")
    assert Point(1) != Named(1)
    assert Point(1) != (1, 0, ())
    assert Read("a", raw="1") == Read("a", raw="2")
    assert hash(Read("a", raw="1")) == hash(Read("a"))
    assert hash(Kind("a")) == hash(Kind("a")), "what belongs to the class is no field"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1, names=[]))  # type: ignore[arg-type]


def test_a_value_shows_its_fields_unless_it_says_otherwise() -> None:
    assert repr(Named(1, label="a")) == "Named(x=1, y=0, names=(), label='a')"
    assert repr(Read("a", raw="1")) == "Read(text='a')"
    assert repr(Kind("a")) == "Kind(name='a')"
    assert repr(Quiet("token")) == "Quiet"
    assert asdict(Point(1)) == {"x": 1, "y": 0, "names": ()}
