"""The box as values: what lies over what, which paths are mounted at all, and what a person and a project may say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from samoloop.base.errors import ConfigError
from samoloop.children import sandbox, seatbelt
from samoloop.children.sandbox import Box, Maker, NoSandbox
from samoloop.config import loading
from samoloop.core.permissions import Access, Sandboxing, SandboxMode

BWRAP = Maker("bwrap", overlays=True)


def mounted(box: Box, maker: Maker = BWRAP) -> tuple[str, ...]:
    """The mounts of a box in their order, as words."""
    words = sandbox.words(maker, box, lambda path: True)
    return tuple(words[words.index("/proc") + 1 : words.index("--unsetenv")])


def test_what_lies_deeper_comes_later_whatever_the_order() -> None:
    box = Box(Path("/w"), {Path("/h/p/w"): Access.WRITE, Path("/h/p/w/.git"): Access.READ, Path("/h"): Access.HIDDEN})
    words = mounted(box)
    assert words.index("--tmpfs") < words.index("--bind-try") < words.index("--ro-bind-try")


def test_a_cache_without_overlays_is_an_empty_folder() -> None:
    box = Box(Path("/w"), {Path("/h/.npm"): Access.CACHE})
    assert mounted(box) == ("--overlay-src", "/h/.npm", "--tmp-overlay", "/h/.npm")
    assert mounted(box, Maker("bwrap")) == ("--tmpfs", "/h/.npm")


def test_a_box_ends_with_who_started_it_unless_it_stays() -> None:
    box = Box(Path("/w"))
    assert "--die-with-parent" in sandbox.words(BWRAP, box)
    assert "--die-with-parent" not in sandbox.words(BWRAP, replace(box, stays=True))
    assert "--unshare-net" not in sandbox.words(BWRAP, box)
    assert "--unshare-net" in sandbox.words(BWRAP, replace(box, network=False))


def test_what_is_missing_or_so_anyway_is_not_mounted(tmp_path: Path) -> None:
    for name in ("home/tools", "home/code/in", "other"):
        (tmp_path / name).mkdir(parents=True)
    home = tmp_path / "home"
    box = Box(
        home / "code",
        {
            tmp_path / "other": Access.READ,  # as all that is not named
            tmp_path / "nowhere": Access.WRITE,
            home: Access.HIDDEN,
            home / "tools": Access.READ,
            home / "code": Access.WRITE,
            home / "code" / "in": Access.READ,
        },
        home=home,
    )
    assert sandbox.present(box).paths == {
        home: Access.HIDDEN,
        home / "tools": Access.READ,
        home / "code": Access.WRITE,
        home / "code" / "in": Access.READ,
    }


def test_a_home_is_there_though_all_around_it_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "homes" / "ada").mkdir(parents=True)
    (tmp_path / "homes" / "bob").mkdir()
    paths = {tmp_path / "homes" / name: Access.HIDDEN for name in ("", "ada", "bob")}
    found = sandbox.present(Box(tmp_path, paths, home=tmp_path / "homes" / "ada")).paths
    assert sorted(found) == [tmp_path / "homes", tmp_path / "homes" / "ada"]


def test_links_on_the_way_are_made_again_where_they_would_be_hidden(tmp_path: Path) -> None:
    home, tools = tmp_path / "home", tmp_path / "disk" / "nvm"
    home.mkdir()
    tools.mkdir(parents=True)
    (home / ".nvm").symlink_to("../disk/nvm")
    (tmp_path / "link").symlink_to(home)
    box = sandbox.present(Box(tmp_path, {home: Access.HIDDEN, tmp_path / "link" / ".nvm": Access.READ}))
    assert box.paths == {home: Access.HIDDEN}  # what the link leads to is to be read anyway
    assert box.links == {home / ".nvm": "../disk/nvm"}
    words = mounted(box)
    assert words == ("--tmpfs", str(home), "--symlink", "../disk/nvm", str(home / ".nvm"))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert sandbox.present(Box(tmp_path, {tmp_path / "a": Access.READ})).paths == {}


# --- settings ---------------------------------------------------------------------------------------------------------


def settings(tmp_path: Path, project: object, own: object = None, **environ: str) -> loading.Config:
    root, home = tmp_path / "project", tmp_path / "home"
    for path, said in ((root / ".samoloop.yaml", project), (home / ".config" / "samoloop" / "config.yaml", own)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said or {}))
    return loading.load(root, {"HOME": str(home), **environ})


def test_a_box_is_the_default(tmp_path: Path) -> None:
    assert settings(tmp_path, {}).sandboxing("testing").mode in (None, SandboxMode.AUTO)


@pytest.mark.parametrize(
    "said",
    [
        {"sandbox": False},
        {"sandbox": "off"},
        {"sandbox": {"mode": "off"}},
        {"sandbox": {"read": ["~/.ssh"]}},
        {"sandbox": {"write": ["/etc"]}},
        {"phases": {"testing": {"sandbox": "off"}}},
        {"phases": {"testing": {"sandbox": {"write": ["~"]}}}},
    ],
)
def test_a_project_cannot_widen_its_box(tmp_path: Path, said: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="a project can only narrow the sandbox"):
        settings(tmp_path, said)
    assert settings(tmp_path, {}, said).sources  # its person can


def test_a_project_narrows_and_takes_nothing_back(tmp_path: Path) -> None:
    narrowed = settings(tmp_path, {"sandbox": {"mode": "required", "network": "off"}}).sandboxing("testing")
    assert narrowed.mode is SandboxMode.REQUIRED
    assert narrowed.network is False
    own = {"sandbox": {"mode": "required", "network": False}}
    said = {"sandbox": {"mode": "auto", "network": "on"}, "phases": {"testing": {"sandbox": "auto"}}}
    kept = settings(tmp_path, said, own).sandboxing("testing")
    assert kept.mode is SandboxMode.REQUIRED
    assert kept.network is False


def test_the_environment_says_the_mode_and_a_phase_adds_paths(tmp_path: Path) -> None:
    own = {"sandbox": {"read": ["/a"]}, "phases": {"testing": {"sandbox": {"read": ["~/b"]}}}}
    found = settings(tmp_path, {}, own, SAMOLOOP_SANDBOX="required").sandboxing("testing")
    assert found.mode is SandboxMode.REQUIRED
    assert found.read == (Path("/a"), Path("~/b"))


@pytest.mark.parametrize("said", ["on", "maybe", True, 3, {"read": "x"}, {"read": ["x"]}, {"network": "no"}, {"x": 1}])
def test_a_wrong_word_is_refused(tmp_path: Path, said: object) -> None:
    with pytest.raises(ConfigError, match="sandbox"):
        settings(tmp_path, {}, {"sandbox": said})


# --- without one ------------------------------------------------------------------------------------------------------


def test_without_one_auto_goes_on_and_required_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Maker:
        raise NoSandbox("there is no sandbox, because")

    monkeypatch.setattr(sandbox, "find", none)
    box = Box(Path("/w"))
    assert sandbox.words_for(Sandboxing(), box) == []
    assert sandbox.is_missing(Sandboxing(SandboxMode.AUTO)) == "there is no sandbox, because"
    assert sandbox.is_missing(Sandboxing(SandboxMode.OFF)) == ""
    with pytest.raises(NoSandbox):
        sandbox.words_for(Sandboxing(SandboxMode.REQUIRED), box)


# --- macOS ------------------------------------------------------------------------------------------------------------


def test_on_macos_the_deeper_rule_comes_later_and_quotes_are_kept() -> None:
    odd = Path('/Users/ada/"x"')
    paths = {odd: Access.WRITE, odd / ".git": Access.READ, Path("/Users/ada"): Access.HIDDEN}
    rules = seatbelt.profile(paths, network=False).splitlines()
    assert rules[:3] == ["(version 1)", "(allow default)", "(deny file-write*)"]
    hidden = rules.index('(deny file-read-data file-write* (subpath "/Users/ada"))')
    written = rules.index('(allow file-read* file-write* (subpath "/Users/ada/\\"x\\""))')
    kept = rules.index('(deny file-write* (subpath "/Users/ada/\\"x\\"/.git"))')
    assert hidden < written < kept
    assert rules[-1] == "(deny network*)"


def test_on_macos_a_box_is_made_only_where_one_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "find", lambda: Maker(seatbelt.PROGRAM, untried=seatbelt.UNTRIED))
    box = Box(Path("/"), {Path("/usr"): Access.WRITE})
    assert sandbox.words_for(Sandboxing(), box) == []
    assert sandbox.is_missing(Sandboxing()) == seatbelt.UNTRIED
    words = sandbox.words_for(Sandboxing(SandboxMode.REQUIRED), box)
    assert words[words.index(seatbelt.PROGRAM) + 1] == "-p"
    assert '(allow file-read* file-write* (subpath "/usr"))' in words[-1]
    assert "TMPDIR" not in words
