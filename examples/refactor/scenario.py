"""A long module becomes a package, a few subjects an iteration, with the suite green in between."""

from collections.abc import Sequence

from split import Part, names_of, split

from samoloop.demo.scenario import Answers, Call, Edit, Item, Option, Question, Scenario
from samoloop.demo.visit import Hit, Visit

PACKAGE = "invoicing/__init__.py"

ERRORS = Part("errors", "What can be wrong with an invoice.", ("InvoicingError",))
MONEY = Part(
    "money",
    "Amounts in one currency, in whole cents.",
    (
        *("CURRENCIES", "Money", "group_thousands", "round_half_up", "percentage", "parse_money", "split_evenly"),
        "total",
    ),
)
PARTIES = Part(
    "parties",
    "Who sells, and who buys.",
    ("IN_EURO_AREA", "EU_COUNTRIES", "VAT_ID_PATTERNS", "Address", "Party", "Customer", "check_vat_id", "check_email"),
)
TAX = Part("tax", "Value added tax: at which rate, and who owes it.", ("TaxRate", "TaxRule", "TAX_NOTES", "tax_rule"))
LINES = Part("lines", "What is charged, line by line.", ("UNITS", "Line", "hours", "travel", "flat"))
INVOICES = Part(
    "invoices",
    "Invoices: what is asked for, what was paid, what is still owed.",
    ("Status", "Payment", "TaxTotal", "Invoice", "send", "pay", "cancel"),
)
CREDITS = Part("credits", "Credit notes: money that goes back.", ("CreditNote", "credit"))
NUMBERS = Part("numbers", "Numbers without gaps.", ("NumberRange",))
REMINDERS = Part(
    "reminders",
    "What is sent to those who pay late.",
    ("Step", "STEPS", "GRACE_DAYS", "Reminder", "next_step", "remind", "due_reminders"),
)
LETTERS = Part(
    "letters",
    "Invoices and credit notes as text.",
    (
        *("WIDTH", "KEYS", "ENGLISH", "GERMAN", "WORDS", "words_for", "row", "wrap", "letterhead"),
        *("invoice_text", "line_rows", "credit_text"),
    ),
)
KEEPING = Part(
    "keeping",
    "Invoices as JSON, ledger and payments as CSV.",
    (
        *("invoice_to_json", "_invoice_value", "_party_value", "_line_value", "invoice_from_json", "_invoice_from"),
        *("_party_from", "_line_from", "_optional_date", "LEDGER_COLUMNS", "ledger_csv", "amount_text"),
        "payments_from_csv",
    ),
)
REPORTS = Part(
    "reports",
    "What the owner and the tax office want to know.",
    ("AGES", "OLDEST", "age_of", "aging", "revenue_by_month", "best_customers", "tax_return"),
)
GROUPS = (
    ("money, parties and tax", (MONEY, PARTIES, TAX)),
    ("lines, invoices and credit notes", (LINES, INVOICES, CREDITS)),
    ("numbers, reminders and letters", (NUMBERS, REMINDERS, LETTERS)),
    ("keeping and reports", (KEEPING, REPORTS)),
)


def make_package(visit: Visit) -> None:
    """The module under its new name, with the errors apart, because every part needs them."""
    source = visit.read("invoicing.py")
    visit.remove("invoicing.py")
    for path, text in split("invoicing", source, [ERRORS]).items():
        visit.write(path, text)


def moved(parts: Sequence[Part]) -> Call:
    def move(visit: Visit) -> None:
        for path, text in split("invoicing", visit.read(PACKAGE), parts).items():
            visit.write(path, text)

    return Call(f"invoicing/{parts[0].name}.py", move)


def pin_names(visit: Visit) -> None:
    """A test that names everything that can be imported today."""
    names = "".join(f'    "{name}",\n' for name in names_of(visit.read("invoicing.py")))
    visit.write(
        "tests/test_names.py",
        f"import unittest\n\nimport invoicing\n\nNAMES = (\n{names})\n\n\n"
        "class NamesTest(unittest.TestCase):\n"
        "    def test_everything_can_still_be_imported(self) -> None:\n"
        "        self.assertEqual([name for name in NAMES if not hasattr(invoicing, name)], [])\n",
    )


def explain(hits: Sequence[Hit]) -> str:
    sections = [hit for hit in hits if "# ---" in hit.text]
    named = ", ".join(f"{hit.text.strip('# -').lower()} (`{hit.place}`)" for hit in sections)
    return (
        f"The module has {len(sections)} sections, marked by comments: {named}. They use each other in one direction "
        "only, from the top down, so each can become a module of its own. Everything else imports names from "
        "`invoicing`, which the package has to go on offering."
    )


def items(answers: Answers) -> Sequence[Item]:
    first = Item(
        "invoicing is a package",
        (Call(PACKAGE, make_package),),
        why="The errors are apart already: every part needs them.",
        proof="the suite, which imports names from `invoicing`",
    )
    rest = [
        Item(f"{words} are modules of their own", (moved(parts),), why="Nothing but the place of the code changes.")
        for words, parts in GROUPS
    ]
    readme = Edit(
        "README.md",
        "All of it is in\n`invoicing.py`, which has grown.",
        "Each subject has\nits module in `invoicing/`; what others use is imported from `invoicing` itself.",
    )
    last = Item("the README says where things are", (readme,), proof="nothing to prove")
    return (first, *rest, last)


SCENARIO = Scenario(
    slug="package",
    look_for=(r"^# --- ", r"^(from|import) invoicing", r"invoicing\.py"),
    explain=explain,
    tests=("python", "-m", "unittest"),
    questions=(
        Question(
            key="names",
            title="Must everything that can be imported from `invoicing` today still come from there?",
            why="It decides whether code outside of this repository has to change.",
            options=(Option("yes, every name", True), Option("only what the tests use", False)),
            reason="the task says so, and it costs a list of names",
        ),
    ),
    requirements=lambda answers: (
        "invoicing is a package whose modules have at most 250 lines",
        "every name that could be imported from invoicing can still be imported from there",
        "the tests that were there pass, and are as they were",
    ),
    items=items,
    pins=(Call("tests/test_names.py", pin_names),),
    remarks=("`wrap` in the letters could be the standard library's `textwrap.wrap`; another day.",),
    out_of_scope=("Any change of what the code does.",),
)
