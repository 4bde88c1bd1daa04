"""A workflow as a picture."""

from dataclasses import replace

from records import SMALL

from samoloop.config import workflow_files
from samoloop.ui.terminal.drawing import mermaid, text


def test_a_terminal_sees_order_gates_limits_and_extra_edges() -> None:
    phases = tuple(replace(phase, iteration_seconds=2700) if phase.name == "plan" else phase for phase in SMALL.phases)
    assert text(replace(SMALL, summary="A small one.", phases=phases)) == (
        "small: A small one.\n"
        "\n"
        "   init    done by the worker, no child\n"
        " ↓ ask     at most 3 iterations, GATE: qa_answers by a human\n"
        " ↓ plan    at most 20 iterations, 45m 00s each, GATE: plan_approval by a human\n"
        " ↓ work    at most 4 iterations\n"
        "             ↓ straight to done\n"
        " ↓ review  at most 4 iterations\n"
        "             ↑ back to work, at most 2 times\n"
        " ↓ done    at most 3 iterations"
    )


def test_a_page_gets_a_flowchart_with_every_phase_and_edge() -> None:
    assert mermaid(SMALL).splitlines() == [
        "flowchart LR",
        "    init[init]",
        '    ask{{"ask<br/>qa_answers"}}',
        '    plan{{"plan<br/>plan_approval"}}',
        "    work[work]",
        "    review[review]",
        "    done[done]",
        "    init --> ask",
        "    ask --> plan",
        "    plan --> work",
        "    work --> review",
        "    review --> done",
        "    review -.-> work",
        "    work -.-> done",
    ]


def test_every_shipped_workflow_can_be_drawn() -> None:
    for name in workflow_files.names(None):
        workflow = workflow_files.load(name, None)
        assert all(phase in text(workflow) and phase in mermaid(workflow) for phase in workflow.names)
