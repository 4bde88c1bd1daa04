"""The repository is itself a plugin for several CLIs: its manifests agree with the package and keep the limits."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import samoloop
from samoloop.config import skills

ROOT = Path(__file__).parent.parent
MANIFESTS = (
    ".claude-plugin/plugin.json",
    ".codex-plugin/plugin.json",
    ".cursor-plugin/plugin.json",
    "gemini-extension.json",
    "plugin.json",
)
EACH = pytest.mark.parametrize("name", MANIFESTS)


def manifest(name: str) -> dict[str, Any]:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def marketplace_entry() -> dict[str, Any]:
    (entry,) = manifest(".claude-plugin/marketplace.json")["plugins"]
    return entry


@EACH
def test_a_manifest_has_the_packages_version_and_name(name: str) -> None:
    assert manifest(name)["version"] == samoloop.__version__
    assert manifest(name)["name"] == "samoloop"


def test_the_marketplace_offers_this_folder_in_the_packages_version() -> None:
    entry = marketplace_entry()
    assert entry["name"] == "samoloop"
    assert entry["version"] == samoloop.__version__
    assert (ROOT / entry["source"] / ".claude-plugin" / "plugin.json").is_file()


@EACH
def test_a_name_and_a_description_keep_the_limits(name: str) -> None:
    found = manifest(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found["name"])
    assert 0 < len(found["description"]) <= 1024


def test_every_manifest_says_the_same() -> None:
    said = {manifest(name)["description"] for name in MANIFESTS}
    assert said == {marketplace_entry()["description"]}
    assert {manifest(name).get("license", "MIT") for name in MANIFESTS} == {"MIT"}


@EACH
def test_a_path_in_a_manifest_leads_to_the_skills(name: str) -> None:
    """One that is left out is found by the CLI: `skills/` beside the manifest's folder, or beside the manifest."""
    path = manifest(name).get("skills", "./skills/")
    assert path.startswith("./")
    assert len(list((ROOT / path).glob("*/SKILL.md"))) == len(skills.available(None))


@pytest.mark.parametrize("folder", [".claude-plugin", ".codex-plugin", ".cursor-plugin"])
def test_a_manifests_folder_holds_manifests_only(folder: str) -> None:
    assert {path.name for path in (ROOT / folder).iterdir()} <= {"plugin.json", "marketplace.json"}


def test_no_description_is_crowded_out_of_claude_codes_list() -> None:
    """It shows 8,000 characters of all skills together, nearly 4,500 of them its own; the last ones lose theirs."""
    listed = sum(len(f"- samoloop:{skill.name}: {skill.description}\n") for skill in skills.available(None))
    assert listed <= 3500


def test_the_skills_keep_what_a_cli_preloads_small() -> None:
    found = skills.available(None)
    assert all(len(skill.name) <= skills.NAME_LENGTH for skill in found)
    assert all(len(skill.description) <= skills.DESCRIPTION_LENGTH for skill in found)
    assert sum(len(skill.description) for skill in found) <= skills.DESCRIPTIONS_LENGTH
