import subprocess
import sys
from pathlib import Path

import pytest

import samoloop
from samoloop.base.errors import ProviderError
from samoloop.config.keys import BUILT_IN, KNOWN
from samoloop.providers import get


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ProviderError, match=r"'droid' is unknown; use one of claude, codex, .*copilot, .*command"):
        get("droid")


@pytest.mark.parametrize("name", KNOWN)
def test_every_name_is_a_provider_of_that_name(name):
    assert get(name).name == name


def test_a_name_of_ones_own_needs_a_command():
    assert get("mine", {"command": ["mycli"]}).name == "mine"
    with pytest.raises(ProviderError, match=r"'mine' .*is unknown"):
        get("mine", {"path": "mycli"})


def test_one_provider_imports_one():
    code = "import sys; from samoloop.providers import get; get('claude'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.removeprefix("samoloop.providers.") for module in done.stdout.split()}
    assert loaded & set(BUILT_IN) == {"claude"}
    assert not loaded & {"yaml", "telegram", "watchdog", "asyncio", "click"}


def test_no_text_repeats_the_list_of_the_built_in():
    """A new provider is its module and its entry among the keys."""
    listed = ", ".join(BUILT_IN[-3:])
    assert not [path for path in Path(samoloop.__file__).parent.rglob("*.py") if listed in path.read_text("utf-8")]
