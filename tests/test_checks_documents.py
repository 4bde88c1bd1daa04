"""The document ledger: what documents admit, and which phase must heed it."""

import time
from pathlib import Path

import pytest

from samoloop.checks.documents import Document, digest, ledger, of_kind, understand
from samoloop.config.workflow_files import load
from samoloop.core.evidence import Weight

TESTING = """# Testing: x
Commit: abc
## Suite
- `pytest`: exit 0, 3 passed
## Requirements
- R1: met - `x` → y
- R2: {} - `z` → nothing
## Not checked
- Whatever nobody thought of.
"""
REVIEW = "# Review: x\n## Verdict\n{}\n## Findings\n### F1: t\nSeverity: note\nStatus: confirmed\n"
FINDINGS = "# Audit\n## Findings\n### F1: a\nStatus: confirmed\n### F2: b\nStatus: {}\n"
COVERAGE = "# Coverage\n## How to run\n- `x`: ok\n## Areas\n- [x] A1 upload - at abc: F1\n- [{}] A2 login: paths\n"


@pytest.mark.parametrize(
    ("line", "unmet"),
    [
        ("- R2: not met - `x` → y", True),
        ("- R2: not checked - no device", True),
        ("- **R2:** not met", True),
        ("- **R2**: **not met**", True),
        ("R2: Not met.", True),
        ("* R2 (login): not met", True),
        ("- R2: ❌ not met", True),
        ("- R2 - not checked", True),
        ("| R2 | not met | `x` |", True),
        ("- S2: not met", True),
        ("- R2: met - the old one was not met", False),
        ("- R2: met", False),
        ("- R1: met, though R2 was not checked before", False),
        ("## Not checked", False),
        ("- not met by anybody", False),
        ("- R2: not metered", False),
        ("We say R2: not met", False),
        ("- F2: not met in the wild", False),
    ],
)
def test_a_requirement_is_unmet_where_its_line_says_so(line, unmet):
    assert bool(understand(f"# T\n{line}\n").unmet) is unmet


def test_what_is_said_last_of_a_requirement_counts():
    assert understand("- R1: not met\n- R2: not checked\n## Round 2\n- R1: met\n").unmet == ("R2",)


def test_what_stands_in_a_fence_is_an_example():
    text = "```\n- R1: not met\nStatus: unverified\n## Verdict\nno\n- [ ] A1 x\n```\n"
    assert understand(text) == Document()


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("## Verdict\nmay be handed over\n", "may be handed over"),
        ("## Verdict\n\n**May be handed over.** Two notes.\n", "May be handed over.** Two notes."),
        ("**Verdict:** mended, test again\n", "mended, test again"),
        ("## Verdict: not without a decision\n", "not without a decision"),
        ("## Verdict\nmended, test again\n# Round 2\n## Verdict\nmay be handed over\n", "may be handed over"),
        ("# Review: x\nRange: a..b\n", None),
    ],
)
def test_the_verdict_is_found_as_people_write_it(text, verdict):
    assert understand(text).verdict == verdict


def vetoed(workflow, phase, target, fresh=True, **newest):
    flow = load(workflow, None)
    texts = {kind: understand(text) for kind, text in newest.items()}
    return [
        seen.text for seen in ledger(flow, flow.phase(phase), target, texts, fresh=fresh) if seen.weight is Weight.VETO
    ]


HANDED = REVIEW.format("may be handed over")
BLOCKING = HANDED.replace("Severity: note", "**Severity:** blocking")
FINE = [
    ("chore", "implementation", "testing", {"dive": "# Dive\n## To do\n- [x] 1 a\n## Still to find out\n- [ ] c\n"}),
    ("feature", "implementation", "testing", {"dive": "# Dive\n## To do\n- [ ] 2 b\n"}),  # the plan counts there
    ("feature", "testing", "quality", {"testing": TESTING.format("met")}),
    ("feature", "testing", "done", {"testing": TESTING.format("met")}),
    ("feature", "quality", "testing", {"review": REVIEW.format("mended, test again")}),
    ("feature", "quality", "done", {"review": HANDED}),
    ("feature", "quality", "done", {"review": "# Review\nno verdict in it\n"}),
    ("feature", "quality", "done", {"review": BLOCKING.replace("confirmed", "mended")}),
    ("feature", "quality", "done", {"review": f"{BLOCKING}# Round 2\n### F1: t\nStatus: mended\n"}),
    ("review", "verification", "done", {"review": BLOCKING.replace("## Verdict", "## Purpose")}),  # it is the product
    ("feature", "planning", "implementation", {"plan": "- [ ] 1.1 x\n## Areas\n- [ ] of work\n"}),
    ("feature", "implementation", "testing", {}),
    ("feature", "done", None, {"testing": TESTING.format("not met")}),  # it was refused where it was said
    ("build", "testing", "quality", {"testing": TESTING.format("not checked")}),  # a later milestone's
    ("build", "quality", "milestone", {"testing": TESTING.format("not met"), "review": HANDED}),
    ("build", "milestone", "implementation", {"testing": TESTING.format("not met")}),
    ("build", "milestone", "done", {"testing": TESTING.format("met"), "review": HANDED}),
    ("audit", "audit", "verification", {"review": FINDINGS.format("unverified"), "plan": COVERAGE.format("x")}),
    ("audit", "verification", "done", {"review": FINDINGS.format("refuted"), "plan": COVERAGE.format("x")}),
    ("audit", "survey", "audit", {"plan": COVERAGE.format(" ")}),
    ("test", "exploration", "regression", {"testing": FINDINGS.format("unverified")}),
    ("test", "exploration", "done", {"testing": "# Testing\n## Findings\nnone\n"}),
    ("review", "review", "verification", {"review": FINDINGS.format("unverified")}),
    ("fix", "reproduction", "planning", {"testing": "# Reproduction\n## F1: not met by any\nTest: `x`\n"}),
    ("research", "investigation", "done", {}),
    ("exec", "exec", None, {"result": "# Result\n## Left open\n- R1: not checked\n"}),
]


@pytest.mark.parametrize(("workflow", "phase", "target", "newest"), FINE)
def test_an_honest_phase_is_left(workflow, phase, target, newest):
    assert vetoed(workflow, phase, target, **newest) == []


REFUSED = [
    ("chore", "implementation", "testing", {"dive": "# Dive\n## To do\n- [x] 1 a\n- [ ] 2 b\n"}, "2 b: without a tick"),
    ("feature", "testing", "quality", {"testing": TESTING.format("not met")}, "says that R2 is not met or not checked"),
    ("feature", "testing", "done", {"testing": TESTING.format("not checked")}, "R2 is not met or not checked"),
    ("feature", "quality", "done", {"review": REVIEW.format("not without a decision")}, "'not without a decision'"),
    ("feature", "quality", "done", {"review": REVIEW.format("mended, test again")}, "and not 'may be handed over'"),
    ("feature", "quality", "done", {"review": REVIEW.format("<may be handed over | mended>")}, "verdict of the newest"),
    ("feature", "quality", "done", {"review": BLOCKING}, "F1 of the newest review: blocking and confirmed"),
    ("build", "quality", "milestone", {"review": REVIEW.format("not without a decision")}, "verdict"),
    ("build", "milestone", "done", {"testing": TESTING.format("not met"), "review": HANDED}, "R2"),
    ("build", "milestone", "done", {"review": REVIEW.format("not without a decision")}, "verdict"),
    ("audit", "verification", "done", {"review": FINDINGS.format("unverified")}, "1 finding of the newest review"),
    ("audit", "audit", "verification", {"plan": COVERAGE.format(" ")}, "without a tick: a2 login: paths"),
    ("test", "exploration", "done", {"testing": FINDINGS.format("unverified")}, "Status: unverified"),
    ("test", "regression", "done", {"testing": FINDINGS.format("**unverified**")}, "confirm or refute"),
    ("improve", "triage", "done", {"review": FINDINGS.format("unverified")}, "is still `Status: unverified`"),
]


@pytest.mark.parametrize(("workflow", "phase", "target", "newest", "said"), REFUSED)
def test_bad_news_of_the_newest_document_leads_nowhere_else(workflow, phase, target, newest, said):
    assert said in " ".join(vetoed(workflow, phase, target, **newest))


@pytest.mark.parametrize(
    ("workflow", "phase", "target"),
    [
        ("feature", "testing", "quality"),
        ("feature", "quality", "testing"),
        ("exec", "exec", None),
        ("fix", "done", None),
    ],
)
def test_a_phase_without_its_document_is_not_left(workflow, phase, target):
    assert "and none is new since it was entered" in " ".join(vetoed(workflow, phase, target, fresh=False))


def test_a_phase_of_an_own_workflow_that_leaves_nothing_is_asked_for_nothing(tmp_path):
    own = tmp_path / ".samoloop"
    (own / "workflows").mkdir(parents=True)
    (own / "workflows" / "mine.yaml").write_text("name: mine\nphases: [init, work, end]\n")
    (own / "work.md").write_text("---\nname: work\n---\nWork.\n")
    (own / "end.md").write_text("---\nname: end\nsignals: [done]\n---\nEnd.\n")
    flow = load("mine", tmp_path)
    bad = {"testing": understand(TESTING.format("not met")), "review": understand(REVIEW.format("no"))}
    for name, target in (("work", "end"), ("end", None)):
        assert ledger(flow, flow.phase(name), target, bad, fresh=False) == []


def test_until_a_phase_that_only_finds_the_findings_may_stay_unverified():
    flow = load("audit", None).until("audit")
    found = {"review": understand(FINDINGS.format("unverified"))}
    assert ledger(flow, flow.phase("audit"), None, found, fresh=True) == []


@pytest.mark.parametrize(
    ("names", "kind", "found"),
    [
        (["11-21-0900-testing-x.md", "11-21-0901-dive-testing-setup.md"], "testing", ["11-21-0900-testing-x.md"]),
        (["testing-report.md", "_testing.md", "testing.txt"], "testing", ["testing-report.md"]),
        (["11-21-0900-review-x.md", "review.md"], "review", ["11-21-0900-review-x.md"]),
        (["11-21-0900-plans.md"], "plan", ["11-21-0900-plans.md"]),
        (["explanation.md"], "plan", []),
    ],
)
def test_the_documents_of_a_kind_are_found_by_their_names(tmp_path: Path, names, kind, found):
    for name in names:
        (tmp_path / name).write_text("x")
    assert [path.name for path in of_kind(tmp_path, kind)] == found


def test_a_document_that_was_carried_on_is_new(tmp_path: Path):
    assert digest(tmp_path, "testing") == digest(tmp_path, "testing")
    file = tmp_path / "11-21-0900-testing-x.md"
    file.write_text("one")
    before = digest(tmp_path, "testing")
    (tmp_path / "11-21-0900-review-x.md").write_text("another kind")
    assert digest(tmp_path, "testing") == before
    file.write_text("two")
    assert digest(tmp_path, "testing") != before


def test_a_document_of_any_size_is_read_in_one_pass():
    start = time.monotonic()
    understand(
        "- R1" + ":" * 3_000_000 + "\n" + "- R1: " + "|" * 3_000_000 + "\n" + "```\n" * 300_000 + "*" * 1_000_000
    )
    assert time.monotonic() - start < 5
