"""What the scripted child does in each phase: one action, its document, the overview, the signal."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from samoloop.core.gates import questions
from samoloop.demo import documents, notes
from samoloop.demo.answers import understood, values
from samoloop.demo.commands import CommandRun
from samoloop.demo.scenario import Item, Scenario, Slip, Write
from samoloop.demo.visit import CannotGoOn, Visit

Act = Callable[[Visit, Scenario], None]


def play(visit: Visit, scenario: Scenario) -> None:
    """The one action of this visit. Raises CannotGoOn."""
    visit.read_note(notes.OVERVIEW)
    act = ACTS.get(visit.phase, elsewhere)
    if act is elsewhere and visit.facts.gate is not None:
        act = {"qa_answers": requirements, "plan_approval": planning}.get(visit.facts.gate, elsewhere)
    act(visit, scenario)


def investigation(visit: Visit, scenario: Scenario) -> None:
    """Search the code for what the task is about, run the tests once, write the dive."""
    task = visit.read_note(notes.TASK)
    patterns = scenario.look_for or words_of(task)
    visit.events.text(f"I look for {', '.join(patterns)} and follow what I find.")
    hits = visit.search(patterns) if patterns else []
    for path in list(dict.fromkeys(hit.path for hit in hits))[:6]:
        visit.read(path)
    ran = run_tests(visit, scenario)
    text = documents.dive(task, visit.head(), patterns, hits, scenario.explain(hits), ran)
    name = visit.document("dive", scenario.slug, text)
    visit.events.text(
        f"{len(hits)} lines in {len({hit.path for hit in hits})} files matter; they are quoted in {name}."
    )
    go_on(visit, f"dive written, {len(hits)} lines quoted", [name])


def requirements(visit: Visit, scenario: Scenario) -> None:
    """Ask first; with the answers, write down what will be true."""
    asked = questions.parse(visit.read_note(questions.FILE_NAME))
    if not asked and scenario.questions:
        visit.write_note(questions.FILE_NAME, documents.questions(scenario.questions))
        visit.events.text(f"Code cannot answer {len(scenario.questions)} things, so I ask.")
        return wait_for_answers(visit, f"{len(scenario.questions)} questions asked")
    if any(not question.answer for question in asked):
        return wait_for_answers(visit, "questions still wait")
    decisions = understood(scenario.questions, asked)
    lines = scenario.requirements({decision.key: decision.value for decision in decisions})
    task = visit.read_note(notes.TASK)
    text = documents.requirements(task, lines, decisions, scenario)
    name = visit.document("requirements", scenario.slug, text)
    visit.events.text("I take it that " + "; ".join(decision.sentence for decision in decisions) + ".")
    go_on(visit, "answers read, requirements written", [name])


def wait_for_answers(visit: Visit, what: str) -> None:
    visit.look_back(what, "the person answers in _qa.md")
    visit.signal({"status": "waiting", "phase": visit.phase, "for": "qa_answers"})


def planning(visit: Visit, scenario: Scenario) -> None:
    """A plan with boxes; after `changes` another one that says what was asked."""
    approval = visit.read_note(notes.APPROVAL)
    asked = notes.approval_field(approval, "Decision") == "changes"
    comment = notes.approval_field(approval, "Comments") if asked else ""
    items = all_items(visit, scenario, comment)
    lines = scenario.requirements(values(visit, scenario))
    task = visit.read_note(notes.TASK)
    write = documents.breakdown if visit.phase == "breakdown" else documents.plan
    text = write(task, items, lines, scenario, comment)
    name = visit.document("plan", scenario.slug, text)
    visit.events.text(f"The plan has {len(items)} items." + (" Your comment is one of them." if comment else ""))
    visit.look_back("plan rewritten" if comment else "plan written", f"the person decides on {name}", [name])
    visit.signal({"status": "waiting", "phase": visit.phase, "for": "plan_approval", "file": name})


def pinning(visit: Visit, scenario: Scenario) -> None:
    """Tests for what must not change, before the first edit."""
    for step in scenario.pins:
        step.carry_out(visit)
    ran = run_tests(visit, scenario)
    must_pass(ran, "The behaviour of today cannot be pinned")
    commit = visit.commit("Pin today's behaviour before the code moves") if scenario.pins else visit.head()
    name = visit.document("testing", f"pinned-{scenario.slug}", documents.pinned(commit, ran, scenario))
    visit.events.text("What the code does today is held by tests now.")
    go_on(visit, "behaviour pinned by tests", [name])


def reproduction(visit: Visit, scenario: Scenario) -> None:
    """A test that shows the fault, and nothing mended yet."""
    if not scenario.pins:
        return elsewhere(visit, scenario)
    base = visit.head()
    for step in scenario.pins:
        step.carry_out(visit)
    ran = run_tests(visit, scenario)
    if ran is None or ran.ok:
        raise CannotGoOn(f"the test that is to show the fault does not: {documents.outcome(ran)}")
    commit = visit.commit("Show the fault by a test")
    text = documents.reproduced(visit.read_note(notes.TASK), base, commit, ran, scenario)
    name = visit.document("testing", f"reproduced-{scenario.slug}", text)
    visit.events.text(f"The fault is shown by a test: {ran.verdict}. {scenario.cause}")
    go_on(visit, "the fault is shown by a test", [name])


def implementation(visit: Visit, scenario: Scenario) -> None:
    """The first open item of the plan, its tests, a commit, a tick."""
    name = notes.approval_field(visit.read_note(notes.APPROVAL), "Plan") or newest(visit.documents("plan"))
    plan = visit.read_note(name) if name else ""
    comment = documents.comment_of(plan)
    items = all_items(visit, scenario, comment)
    if not plan:  # a workflow without one
        for each in items:
            carry_out(visit, scenario, each)
        return go_on(visit, f"{len(items)} items done")
    boxes = [box for box in notes.boxes(plan) if not box.ticked]
    if not boxes:
        for one in () if plan else items:  # a workflow without a plan
            carry_out(visit, scenario, one)
        mend_slip(visit, scenario)
        return go_on(visit, "every item of the plan is ticked")
    box = boxes[0]
    item = next((item for number, item in numbered(items) if number == box.number), None)
    if item is None:
        raise CannotGoOn(f"item {box.number} of {name} is none that the script knows: {box.title}")
    if scenario.slip and len(boxes) == 1:
        result, commit = carelessly(visit, scenario.slip, item), visit.head()
    else:
        ran, commit = carry_out(visit, scenario, item)
        result = ran.verdict if ran else "there is nothing to run"
    visit.events.text(f"{box.title[0].upper()}{box.title[1:]}; {result}.")
    visit.write_note(name, notes.ticked(plan, box.number, f"{commit or 'left to the worker'}; {result}"))
    what = f"item {box.number} done, {len(boxes) - 1} open"
    if len(boxes) > 1:
        visit.look_back(what, f"item {boxes[1].number}")
        visit.signal({"status": "continue", "phase": visit.phase})
    else:
        go_on(visit, what)


def carry_out(visit: Visit, scenario: Scenario, item: Item) -> tuple[CommandRun | None, str]:
    """The steps of one item, the tests, the commit."""
    for step in item.steps:
        step.carry_out(visit)
    ran = run_tests(visit, scenario)
    must_pass(ran, f"The tests fail after {item.title!r}")
    return ran, visit.commit(subject_of(item), item.why)


def subject_of(item: Item) -> str:
    return item.title[0].upper() + item.title[1:]


def carelessly(visit: Visit, slip: Slip, item: Item) -> str:
    """One item with a mistake in it, and what the child says of tests that it did not run."""
    if slip.spoil.new not in visit.read(slip.spoil.path):  # else a child before came as far and was interrupted
        for step in (*item.steps, slip.spoil):
            step.carry_out(visit)
    visit.commit(subject_of(item), item.why)
    return "the tests are green"


def mend_slip(visit: Visit, scenario: Scenario) -> None:
    """Mend the mistake where it is there, and run the tests this time."""
    slip = scenario.slip
    if slip is None or slip.spoil.new not in visit.read(slip.spoil.path):
        return
    slip.mend.carry_out(visit)
    ran = run_tests(visit, scenario)
    must_pass(ran, "The tests still fail")
    visit.commit("Mend what the tests show", slip.cause)
    result = ran.verdict if ran else "there is nothing to run"
    visit.events.text(
        f"I had said that the tests are green, and not run them. {slip.cause} Mended; now I ran them: {result}."
    )


def testing(visit: Visit, scenario: Scenario) -> None:
    """First round: try the edge, show the fault by a test, mend it. Next round: all of it again, green."""
    own = f"-testing-{scenario.slug}"
    name = next((path.name for path in visit.documents("testing") if own in path.name), "")
    mend_slip(visit, scenario)  # where no check of the worker's sent the child back
    earlier = visit.read_note(name)
    ran = run_tests(visit, scenario)
    if scenario.fault is not None and not earlier:
        return find_fault(visit, scenario, ran)
    must_pass(ran, "The suite fails")
    lines = scenario.requirements(values(visit, scenario))
    text = documents.testing(visit.head(), ran, lines, documents.found_in(earlier), scenario)
    if earlier and earlier != text:  # a session that is taken up again has another round, with a document of its own
        visit.write_note(name, text)
    else:
        name = visit.document("testing", scenario.slug, text)
    visit.events.text(f"Everything is green at {visit.head() or 'the present state'}.")
    go_on(visit, "suite green", [name])


def find_fault(visit: Visit, scenario: Scenario, before: CommandRun | None) -> None:
    """The edge that the implementation got wrong, shown by a test before it is mended."""
    fault = scenario.fault
    assert fault is not None
    visit.events.text(f"The suite is green, but was this tried: {fault.edge}?")
    fault.test.carry_out(visit)
    shown = run_tests(visit, scenario)
    found = "The new test passes at once: there was nothing to mend."
    if shown is not None and not shown.ok:
        visit.events.text("It fails. I mend the cause and keep the test.")
        fault.mend.carry_out(visit)
        must_pass(run_tests(visit, scenario), "The suite still fails after the fault was mended")
        found = f"{fault.edge}: {fault.cause} Before that the new test failed: `{shown.verdict}`"
    visit.events.text(f"I tried {fault.edge} and found a fault. {fault.cause} Mended, with a test that showed it.")
    commit = visit.commit(fault.subject, f"{fault.cause} A test shows it now.")
    entry = f"{found} - mended in {commit or 'the present state'}"
    lines = scenario.requirements(values(visit, scenario))
    text = documents.testing(commit, before, lines, entry, scenario)
    name = visit.document("testing", scenario.slug, text)
    visit.look_back("a fault found at the edge and mended", "one more round of testing", [name])
    visit.signal({"status": "continue", "phase": visit.phase})


def quality(visit: Visit, scenario: Scenario) -> None:
    """Read the whole change once more and write the review."""
    stat, diff = visit.changed("--stat"), visit.changed()
    leftovers = re.findall(r"^\+.*(?:\bTODO\b|\bFIXME\b|breakpoint\().*$", diff, re.MULTILINE)
    if leftovers:
        raise CannotGoOn(f"the change still holds {leftovers[0][:80]!r}")
    name = visit.document("review", scenario.slug, documents.review(visit.head(), stat, diff, scenario))
    visit.events.text(f"I read {len(diff.splitlines())} lines of diff and found nothing that blocks.")
    go_on(visit, f"{len(diff.splitlines())} lines of diff reviewed", [name])


def done(visit: Visit, scenario: Scenario) -> None:
    """Hand over."""
    ran = run_tests(visit, scenario)
    task = visit.read_note(notes.TASK)
    found = [path.name for path in sorted(visit.session.glob("??-??-????-*.md"))]
    answer = documents.section(visit.read_note(newest(visit.documents("dive"))), "In short")
    decisions = documents.section(visit.read_note(newest(visit.documents("requirements"))), "Decisions")
    lines = scenario.requirements(values(visit, scenario)) if decisions else ()
    text = documents.summary(task, visit.changed("--stat"), lines, ran, found, answer, decisions)
    name = visit.document("summary", scenario.slug, text)
    summary = f"{notes.title_of(task)} ({documents.outcome(ran)})"
    visit.events.text(f"What was asked, decided, changed and tested stands on one page, {name}.")
    finish(visit, "summary written", name, summary)


def action(visit: Visit, scenario: Scenario) -> None:
    """Phase `exec`: everything at once, and the result."""
    ran: CommandRun | None = None
    commits = []
    items = scenario.items(values(visit, scenario))
    for item in items:
        visit.events.text(item.title[0].upper() + item.title[1:] + ".")
        ran, commit = carry_out(visit, scenario, item)
        commits.append(commit or "left to the worker")
    task = visit.read_note(notes.TASK)
    text = documents.result(task, list(zip(items, commits, strict=True)), ran)
    name = visit.document("result", scenario.slug, text)
    finish(visit, "done, result written", name, f"{notes.title_of(task)} ({documents.outcome(ran)})")


def elsewhere(visit: Visit, scenario: Scenario) -> None:
    """A phase that the script has nothing of its own for: say so, and go on the way that the facts allow."""
    kind = documents.KINDS.get(visit.phase, "result")
    name = visit.document(kind, visit.phase, documents.nothing(visit.phase))
    visit.events.text(f"The script has nothing to do in {visit.phase}.")
    go_on(visit, f"passed through {visit.phase}", [name])


def go_on(visit: Visit, what: str, files: list[str] | None = None) -> None:
    """Continue with the next phase in the main order; after the last one, hand over."""
    following = next(iter(visit.facts.next_phases), None)
    if following is None:
        return finish(visit, what, (files or [""])[0], f"{what}.")
    visit.look_back(what, following, files or [])
    visit.signal({"status": "continue", "phase": following})


def finish(visit: Visit, what: str, name: str, summary: str) -> None:
    visit.look_back(what, "nothing, the session is complete", [name] if name else [])
    visit.signal({"status": "done", "phase": visit.phase, "summary": summary})


# --- helpers ----------------------------------------------------------------------------------------------------------


def run_tests(visit: Visit, scenario: Scenario) -> CommandRun | None:
    """The project's own test command; None where the scenario names none."""
    return visit.run(scenario.tests) if scenario.tests else None


def must_pass(ran: CommandRun | None, otherwise: str) -> None:
    if ran is not None and not ran.ok:
        raise CannotGoOn(f"{otherwise}: `{ran.command}` ended with {ran.exit_code}: {ran.verdict}")


def all_items(visit: Visit, scenario: Scenario, comment: str) -> list[Item]:
    """The items of the scenario, and one for what the human asked for when sending the plan back."""
    items = list(scenario.items(values(visit, scenario)))
    if comment:
        text = f"# Wishes\n\nAsked for when the plan was read; a script cannot carry it out:\n\n{comment}\n"
        items.append(Item("your comment stands in WISHES.md", (Write("WISHES.md", text),), proof="nothing to prove"))
    return items


def numbered(items: list[Item]) -> list[tuple[str, Item]]:
    return [(f"1.{position}", item) for position, item in enumerate(items, 1)]


def newest(paths: list[Path]) -> str:
    return paths[-1].name if paths else ""


def words_of(task: str) -> list[str]:
    """The longest words of a task: what there is to look for without a model."""
    words = sorted(set(re.findall(r"[A-Za-z]{5,}", task.lower())), key=lambda word: (-len(word), word))
    return words[:3]


ACTS: Mapping[str, Act] = {
    "investigation": investigation,
    "requirements": requirements,
    "planning": planning,
    "breakdown": planning,
    "pinning": pinning,
    "reproduction": reproduction,
    "implementation": implementation,
    "testing": testing,
    "quality": quality,
    "done": done,
    "exec": action,
}
