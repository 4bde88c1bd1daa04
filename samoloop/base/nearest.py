"""A word that is not known, and the known one that may be meant."""

from collections.abc import Iterable

from samoloop.base.errors import shown

_LONGEST = 100
_SHORTEST_PART = 3


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that comes near enough to be meant; empty where none does."""
    import difflib  # only where somebody mistyped

    word = word[:_LONGEST].casefold()
    names = {name.casefold(): name for name in known}
    found = (
        [name for name in names if sorted(name) == sorted(word)]  # two letters changed places
        or difflib.get_close_matches(word, names, n=1)
        or [name for name in names if len(word) >= _SHORTEST_PART and word in name]  # `plan` is far from `planning`
    )
    return names[found[0]] if found else ""


def near(word: str, known: Iterable[str]) -> str:
    """` (did you mean model?)`; empty where no known name is near."""
    found = nearest(word, known)
    return f" (did you mean {found}?)" if found else ""


def named(word: str, known: Iterable[str]) -> str:
    """A name that is not known, in quotes, with the one that may be meant."""
    return shown(word) + near(word, known)
