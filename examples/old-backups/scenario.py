"""Backups are ordered by their numbers: a test shows the fault before it is mended."""

from samoloop.demo.scenario import Answers, Edit, Item, Scenario

LAST = 'check "what has no number stays" "db-1.tar " rotate 1 db-1.tar db-2.tar README.md\n'
SHOWN = 'check "the tenth is newer than the ninth" "db-9.tar " rotate 1 db-9.tar db-10.tar\n'
ORDER = "LC_ALL=C sort | all_but_newest"


def requirements(answers: Answers) -> tuple[str, ...]:
    return (
        "`rotate.sh 1` with `db-9.tar` and `db-10.tar` prints `db-9.tar`",
        "what is printed for numbers of one length is what it was",
    )


def items(answers: Answers) -> tuple[Item, ...]:
    return (
        Item(
            "backups are ordered by their numbers",
            (Edit("rotate.sh", ORDER, "LC_ALL=C sort -t - -k 1,1 -k 2,2n | all_but_newest"),),
            why="They were ordered as text, in which 10 comes before 9.",
            proof="the test that shows the fault, and those that were there",
        ),
    )


SCENARIO = Scenario(
    slug="old-backups",
    look_for=(r"sort", r"all_but_newest"),
    tests=("make", "test"),
    questions=(),
    requirements=requirements,
    items=items,
    pins=(Edit("tests/test_rotate.sh", LAST, LAST + SHOWN),),
    cause="`rotate.sh` orders the names as text, in which `db-10` comes before `db-9`.",
    remarks=("Two backups of one number stay in the order of their names; nobody asked for another.",),
    out_of_scope=("Removing anything: the script only prints.",),
)
