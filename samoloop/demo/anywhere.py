"""The scenario for `--provider demo` in any repository: it leaves one note, and shows how a session goes."""

from collections.abc import Sequence

from samoloop.demo.scenario import Answers, Item, Option, Question, Scenario, Write


def _items(answers: Answers) -> Sequence[Item]:
    text = (
        "# samoloop was here\n\nA scripted child played this session: no model was asked, nothing was understood. "
        "With a CLI of yours as\nthe provider the same session does the task.\n"
    )
    return [Item("a note shows that the session came this far", (Write(answers["place"], text),))]


SCENARIO = Scenario(
    slug="demo",
    questions=(
        Question(
            key="place",
            title="Where may the note go that this demo leaves on its branch?",
            why="It is the only file that the scripted child writes; your own checkout is not touched.",
            options=(
                Option("SAMOLOOP-DEMO.md in the root", "SAMOLOOP-DEMO.md"),
                Option("docs/SAMOLOOP-DEMO.md", "docs/SAMOLOOP-DEMO.md"),
            ),
            reason="it is easily found and easily removed",
        ),
        Question(
            key="scope",
            title="Do you know that a script plays the child here and that your task is not carried out?",
            why="The provider `demo` shows the phases and the gates; any other provider does the work.",
            options=(Option("yes", True), Option("now I do", True)),
            reason="the README says so",
        ),
    ),
    requirements=lambda answers: [f"{answers['place']} is on the session's branch"],
    items=_items,
)
