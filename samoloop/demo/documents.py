"""The documents that the scripted child writes, in the shapes that the phase prompts ask for."""

import re
from collections.abc import Sequence

from samoloop.demo.answers import LETTERS, Chosen
from samoloop.demo.commands import CommandRun
from samoloop.demo.notes import title_of
from samoloop.demo.scenario import Item, Question, Scenario
from samoloop.demo.visit import Hit

_HITS_SHOWN = 30
_DIFF_HUNKS_SHOWN = 20


def dive(
    task: str, base: str, patterns: Sequence[str], hits: Sequence[Hit], follows: str, ran: CommandRun | None
) -> str:
    quoted = [f"- `{hit.place}`: `{_code(hit.text)}`" for hit in hits[:_HITS_SHOWN]]
    if len(hits) > _HITS_SHOWN:
        quoted.append(f"- and {len(hits) - _HITS_SHOWN} lines more")
    files = ", ".join(f"`{path}`" for path in dict.fromkeys(hit.path for hit in hits)) or "no file"
    return (
        f"# Dive: {title_of(task)}\n"
        f"## In short\n{follows.strip() or f'The words of the task stand in {files}.'}\n"
        f"## How it works now\nFound with `git grep -E '{'|'.join(patterns)}'`:\n{_list(quoted, 'nothing')}\n"
        f"## Where the change goes\n{files}\n"
        f"## Build, run, test\n{_suite(ran)}\n- Base commit: `{base}`\n"
        "## Constraints and risks\n- A script wrote this; a model would have understood what it read.\n"
        "## For the human\n- What the questions ask.\n"
        "## Still to find out\n"
    )


def questions(asked: Sequence[Question]) -> str:
    blocks = [
        f"### Q{number}: {question.title}\n{question.why}\n"
        + "".join(f"{LETTERS[i]}) {option.words}\n" for i, option in enumerate(question.options))
        + f"**Suggestion:** A - {question.reason}\n**Answer:** _waiting_\n"
        for number, question in enumerate(asked, 1)
    ]
    return "# Questions\n\n" + "\n".join(blocks)


def requirements(task: str, lines: Sequence[str], decisions: Sequence[Chosen], scenario: Scenario) -> str:
    command = " ".join(scenario.tests) or "looking at it"
    return (
        f"# Requirements: {title_of(task)}\n"
        f"## Purpose\n{title_of(task)}\n"
        f"## Requirements\n{_list([f'- {line} - checked by: `{command}`' for line in numbered(lines)])}\n"
        f"## Out of scope\n{_list([f'- {line}' for line in scenario.out_of_scope])}\n"
        "## Constraints\n- The tests that are there stay green.\n"
        f"## Decisions\n{_list([f'- {decision.sentence}' for decision in decisions])}\n"
    )


def plan(task: str, items: Sequence[Item], lines: Sequence[str], scenario: Scenario, comment: str) -> str:
    command = " ".join(scenario.tests)
    boxes = []
    for number, item in enumerate(items, 1):
        files = ", ".join(f"`{path}`" for path in item.files)
        proof = f"{item.proof or 'the suite stays green'}, `{command}`" if command else "there is none to run"
        boxes.append(f"- [ ] 1.{number} {item.title}\n  - Files: {files}\n  - Tests: {proof}")
    every = ", ".join(f"1.{number}" for number in range(1, len(items) + 1))
    covered = [f"- R{number}: {every}" for number in range(1, len(lines) + 1)]
    changes = f"\n## Changes asked for\n- {_one_line(comment)} → item 1.{len(items)}" if comment else ""
    return (
        f"# Plan: {title_of(task)}\n"
        f"## In short\n{'; '.join(lines) or title_of(task)}. {_count(items)}, each with its tests and its commit.\n"
        "## Phase 1: the change\n" + "\n".join(boxes) + "\n"
        f"## Requirements covered\n{_list(covered)}\n"
        "## Risks\n- An edge that nobody thought of; the testing phase looks for it.\n"
        f"## Out of scope\n{_list([f'- {line}' for line in scenario.out_of_scope])}"
        f"{changes}\n"
    )


def breakdown(task: str, items: Sequence[Item], lines: Sequence[str], scenario: Scenario, comment: str) -> str:
    command = f"`{' '.join(scenario.tests)}`" if scenario.tests else "looking at it"
    names = [f"{scenario.slug}-{number}" for number in range(1, len(items) + 1)]
    boxes = [
        f"- [ ] {name}: {item.title}\n  - After: {before}\n  - Workflow: feature\n"
        f"  - Do: {item.title}\n  - Acceptance: {command}"
        for name, before, item in zip(names, ["none", *names], items, strict=False)
    ]
    covered = [f"- R{number}: {', '.join(names)}" for number in range(1, len(lines) + 1)]
    changes = f"\n## Changes asked for\n- {_one_line(comment)} → {names[-1]}" if comment else ""
    return (
        f"# Plan: {title_of(task)}\n"
        f"## In short\n{_count(items)}, one after the other, each a session of its own.\n"
        "## Tasks\n" + "\n".join(boxes) + "\n"
        f"## Requirements covered\n{_list(covered)}\n"
        f"## Left out\n{_list([f'- {line}' for line in scenario.out_of_scope])}"
        f"{changes}\n"
    )


def comment_of(plan: str) -> str:
    """What the human asked for when sending an earlier plan back; empty where nothing was asked."""
    section = plan.partition("\n## Changes asked for\n")[2]
    return section.removeprefix("- ").rpartition(" → ")[0].strip()


def pinned(commit: str, ran: CommandRun | None, scenario: Scenario) -> str:
    lines = [f"- `{step.path}`" for step in scenario.pins] or ["- by the tests that were there"]
    return (
        f"# Pinned behaviour: {scenario.slug}\nCommit: {commit}\n{_suite(ran)}\n"
        f"## Pinned\n{_list(lines)}\n## Not pinned\n- nothing known\n"
        "## Faults met and left\n- none\n## Failing before us\n- none\n"
    )


def reproduced(task: str, base: str, commit: str, ran: CommandRun, scenario: Scenario) -> str:
    return (
        f"# Reproduction: {title_of(task)}\n- Base commit: `{base}`\n"
        f"## Report\n{task.strip()}\n"
        f"## F1: {title_of(task)}\n"
        f"Test: {', '.join(f'`{step.path}`' for step in scenario.pins)}, commit {commit or 'left to the worker'}\n"
        f"Command: `{ran.command}` → {ran.verdict}\nCause: {scenario.cause}\n"
        f"\n```\n{ran.tail}\n```\n## Failing before us\n- none\n"
    )


def testing(commit: str, ran: CommandRun | None, lines: Sequence[str], found: str, scenario: Scenario) -> str:
    met = [f"- R{number}: met - `{ran.command}` → {ran.verdict}" for number in range(1, len(lines) + 1) if ran]
    edge = [f"- {scenario.fault.edge}"] if scenario.fault else []
    return (
        f"# Testing: {scenario.slug}\nCommit: {commit or 'left to the worker'}\n"
        f"## Suite\n{_suite(ran)}\n\n```\n{ran.tail if ran else ''}\n```\n"
        f"## Requirements\n{_list(met, 'none written down')}\n"
        f"## Edges tried\n{_list(edge, 'none')}\n"
        f"## Found\n{f'- {found}' if found else '- nothing'}\n"
        "## Not checked\n- Whatever a script cannot think of.\n"
    )


def found_in(testing_document: str) -> str:
    """What an earlier round of testing found."""
    match = re.search(r"^## Found\n- (.*)$", testing_document, re.MULTILINE)
    return match[1] if match and match[1] != "nothing" else ""


def review(commit: str, stat: str, diff: str, scenario: Scenario) -> str:
    hunks = re.findall(r"^\+\+\+ b/(.*)$", diff, re.MULTILINE)[:_DIFF_HUNKS_SHOWN]
    notes = [
        f"### F{number}: {remark}\nSeverity: note\nStatus: confirmed\nFix: left to the person\n"
        for number, remark in enumerate(scenario.remarks, 1)
    ]
    return (
        f"# Review: {scenario.slug}\nCommit: {commit} · Round: 1\n"
        "## Verdict\nmay be handed over\n"
        f"## Findings\n{''.join(notes) or 'none'}\n"
        f"## Looked at, found sound\n{_list([f'- `{path}`: every hunk read' for path in hunks], 'no change of code')}\n"
        f"\n```\n{stat.rstrip()}\n```\n"
    )


def summary(
    task: str,
    stat: str,
    lines: Sequence[str],
    ran: CommandRun | None,
    found: Sequence[str],
    answer: str,
    decisions: str,
) -> str:
    delivered = [f"- {line}: delivered - {outcome(ran)}" for line in numbered(lines)]
    if stat.strip():
        what = f"## What changed\n\n```\n{stat.rstrip()}\n```\n"
    else:
        what = f"## Answer\n{answer or 'No code was changed.'}\n"
    return (
        f"# Summary: {title_of(task)}\n"
        f"## In short\n{title_of(task)} {outcome(ran)}. A script played the child: no model was asked.\n"
        f"## Asked and delivered\n{_list(delivered, 'see the documents below')}\n"
        f"{what}"
        f"## Decisions\n{decisions or '- none'}\n"
        "## Known gaps\n- none known\n"
        f"## Next\n- Read the diff, merge the branch. Documents: {', '.join(f'`{name}`' for name in found)}\n"
    )


def result(task: str, items: Sequence[tuple[Item, str]], ran: CommandRun | None) -> str:
    changed = [f"- `{path}`: {item.title}, {commit}" for item, commit in items for path in item.files]
    return (
        f"# Result: {title_of(task)}\n## In short\n{'; '.join(item.title for item, _ in items)}.\n"
        f"## Proof\n{_suite(ran)}\n## Changed\n{_list(changed, 'nothing')}\n## Left open\n- nothing known\n"
    )


# What a phase leaves that the script has nothing of its own for.
KINDS = {
    **dict.fromkeys(("audit", "proposals", "review", "triage", "verification"), "review"),
    **dict.fromkeys(("exploration", "regression", "reproduction"), "testing"),
    **dict.fromkeys(("milestone", "survey"), "plan"),
}


def nothing(phase: str) -> str:
    title = KINDS.get(phase, "result").capitalize()
    return (
        f"# {title}: {phase}\n## In short\nA script plays the child here, and it has nothing of its own for the phase "
        f"{phase}. It found nothing, because it did not look.\n"
    )


def section(text: str, heading: str) -> str:
    """The body of one `## ` section."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


def numbered(lines: Sequence[str]) -> list[str]:
    return [f"R{number}: {line}" for number, line in enumerate(lines, 1)]


def _count(items: Sequence[Item]) -> str:
    return f"{len(items)} items" if len(items) != 1 else "1 item"


def _suite(ran: CommandRun | None) -> str:
    return f"- {outcome(ran)}"


def outcome(ran: CommandRun | None) -> str:
    return f"`{ran.command}`: exit {ran.exit_code}, {ran.verdict}" if ran else "it was given no test command"


def _list(lines: Sequence[str], otherwise: str = "none") -> str:
    return "\n".join(lines) if lines else f"- {otherwise}"


def _code(text: str) -> str:
    return text.replace("`", "'")[:140]


def _one_line(text: str) -> str:
    return " ".join(text.split())
