"""The list of faults made by hand (`make mutants`) cannot rot: each still has its place, and its tests are there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "mutants"))

from table import MUTANTS

ROOT = Path(__file__).parents[1]


def test_each_fault_has_one_place_in_the_code_as_it_is() -> None:
    for mutant in MUTANTS:
        text = (ROOT / "samoloop" / mutant.file).read_text(encoding="utf-8")
        compile(mutant.spoil(text), mutant.file, "exec")


def test_each_fault_has_its_own_name_and_suites_that_are_there() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 100
    files = {
        suite.partition("::")[0] for mutant in MUTANTS for suite in mutant.suites if not suite.startswith("faults ")
    }
    assert [name for name in files if not (ROOT / name).is_file()] == []
    assert [mutant.name for mutant in MUTANTS if not mutant.suites] == []
