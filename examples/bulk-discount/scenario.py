"""The till learns a discount. What the person answers decides from how many pieces on, and what they save."""

import re
from collections.abc import Sequence

from samoloop.demo.scenario import Answers, Edit, Fault, Item, Option, Question, Scenario, Slip, Write
from samoloop.demo.visit import Hit

APPLE = 40  # cents, in the shop's price list
LAST_OF_BASKET = '            Basket().add("apple", 0)\n'  # the last lines of the test files
LAST_OF_RECEIPT = '        self.assertEqual(lines[-1].split(), ["total", "5.00"])\n'


def explain(hits: Sequence[Hit]) -> str:
    total = next((hit for hit in hits if "def total" in hit.text), None)
    row = next((hit for hit in hits if "basket.total()" in hit.text and "receipt" in hit.path), None)
    lines = ["The price of a basket is computed in one place only, so the discount belongs there."]
    if total:
        lines.append(f"That place is `{total.place}`.")
    if row:
        lines.append(f"The receipt prints the result in `{row.place}`; a saving should be seen there.")
    lines.append("All money is whole cents: the discount must not bring fractions in.")
    return "\n".join(lines)


def read_pieces(words: str) -> Option | None:
    number = re.search(r"\d+", words)
    return pieces(int(number[0])) if number and 2 <= int(number[0]) <= 1000 else None


def read_saving(words: str) -> Option | None:
    percent = re.search(r"(\d+) ?(%|percent|per cent)", words)
    if percent and 1 <= int(percent[1]) <= 90:
        return Option(f"{percent[1]} % off these pieces", int(percent[1]))
    return Option("one piece is free", 0) if "free" in words.lower() else None


def pieces(number: int) -> Option:
    return Option(f"{number} pieces", number)


QUESTIONS = (
    Question(
        key="pieces",
        title="From how many pieces of the same item on does the discount start?",
        why="It decides how often customers meet the discount. Any number will do, as in: 5 pieces.",
        options=(pieces(3), pieces(6), pieces(12)),
        reason="small enough that an ordinary customer notices it",
        read=read_pieces,
    ),
    Question(
        key="percent",  # 0: one piece is free
        title="What does the customer save?",
        why="It is what stands on the shelf label. Another rate will do too, as in: 15 %.",
        options=(
            Option("10 % off these pieces", 10),
            Option("20 % off these pieces", 20),
            Option("one piece is free", 0),
        ),
        reason="easily said, and the shop still earns",
        read=read_saving,
    ),
)


def saved(answers: Answers, number: int, price: int = APPLE) -> int:
    """What a customer saves by the agreed rule, in cents."""
    if number < answers["pieces"]:
        return 0
    return number * price * answers["percent"] // 100 if answers["percent"] else price


def rule(answers: Answers) -> str:
    saving = f"{answers['percent']} % off" if answers["percent"] else "one of them is free"
    return f"from {answers['pieces']} pieces of the same item on, {saving}"


def requirements(answers: Answers) -> Sequence[str]:
    return (
        f"{rule(answers)[0].upper()}{rule(answers)[1:]}",
        f"{answers['pieces'] - 1} pieces of the same item cost what they cost today",
        "the receipt shows what the customer saved, and only where something was saved",
    )


def items(answers: Answers) -> Sequence[Item]:
    return (the_rule(answers), the_total(answers), the_receipt(answers))


def the_rule(answers: Answers) -> Item:
    many = 2 * answers["pieces"]
    if answers["percent"]:
        constant = f"BULK_PERCENT = {answers['percent']}\n"
        saving = "pieces * price * BULK_PERCENT // 100"
    else:
        constant, saving = "", "price"
    code = f'''"""What customers save. All money is in cents."""

BULK_FROM = {answers["pieces"]}  # pieces of the same item
{constant}

def bulk_discount(pieces: int, price: int) -> int:
    """What a customer saves on `pieces` of one item at `price` each."""
    if pieces <= BULK_FROM:
        return 0
    return {saving}
'''
    tests = f"""import unittest

from till.discounts import bulk_discount


class BulkDiscountTest(unittest.TestCase):
    def test_a_single_piece_has_none(self) -> None:
        self.assertEqual(bulk_discount(1, {APPLE}), 0)

    def test_many_pieces_have_it(self) -> None:
        self.assertEqual(bulk_discount({many}, {APPLE}), {saved(answers, many)})
"""
    return Item(
        "the rule of the discount is code of its own",
        (Write("till/discounts.py", code), Write("tests/test_discounts.py", tests)),
        why=f"As agreed: {rule(answers)}.",
        proof="one piece has no discount, many pieces have it",
    )


def the_total(answers: Answers) -> Item:
    many = 2 * answers["pieces"]
    test = f"""
    def test_many_pieces_of_one_item_are_cheaper(self) -> None:
        basket = Basket()
        basket.add("apple", {many})
        basket.add("bread")
        self.assertEqual(basket.savings(), {saved(answers, many)})
        self.assertEqual(basket.total(), {many * APPLE - saved(answers, many) + 250})
"""
    return Item(
        "the customer pays less for many pieces of one item",
        (
            Edit(
                "till/basket.py",
                "from till.prices import price_of\n",
                "from till.discounts import bulk_discount\nfrom till.prices import price_of\n",
            ),
            Edit(
                "till/basket.py",
                '''        """What the customer pays."""
        return sum(pieces * price_of(item) for item, pieces in self.pieces.items())
''',
                '''        """What the customer pays."""
        return sum(pieces * price_of(item) for item, pieces in self.pieces.items()) - self.savings()

    def savings(self) -> int:
        """What the customer saves by the discount."""
        return sum(bulk_discount(pieces, price_of(item)) for item, pieces in self.pieces.items())
''',
            ),
            Edit("tests/test_basket.py", LAST_OF_BASKET, LAST_OF_BASKET + test),
        ),
        why="The total is the one place where a basket's price is computed.",
        proof="the total of a basket with many pieces",
    )


def the_receipt(answers: Answers) -> Item:
    many = 2 * answers["pieces"]
    test = f'''
    def test_a_saving_stands_above_the_total(self) -> None:
        basket = Basket()
        basket.add("apple", {many})
        self.assertEqual(receipt(basket).splitlines()[-2].split(), ["you", "save", "{saved(answers, many) / 100:.2f}"])

    def test_without_a_saving_there_is_no_such_line(self) -> None:
        basket = Basket()
        basket.add("apple")
        self.assertNotIn("save", receipt(basket))
'''
    return Item(
        "the receipt shows what was saved",
        (
            Edit(
                "till/receipt.py",
                '    lines.append(row("total", basket.total()))\n',
                '    if basket.savings():\n        lines.append(row("you save", basket.savings()))\n'
                '    lines.append(row("total", basket.total()))\n',
            ),
            Edit("tests/test_receipt.py", LAST_OF_RECEIPT, LAST_OF_RECEIPT + test),
            Edit(
                "README.md",
                "Prices are in",
                f"There is a discount: {rule(answers)} (`till/discounts.py`).\n\nPrices are in",
            ),
        ),
        why="A saving that nobody sees brings nobody back.",
        proof="the line on the receipt, and its absence",
    )


WITH_IF = (
    '\n    if basket.savings():\n        lines.append(row("you save", basket.savings()))\n    lines.append(row("total"'
)
WITHOUT_IF = '\n    lines.append(row("you save", basket.savings()))\n    lines.append(row("total"'
SLIP = Slip(
    spoil=Edit("till/receipt.py", WITH_IF, WITHOUT_IF),
    mend=Edit("till/receipt.py", WITHOUT_IF, WITH_IF),
    cause="The line about the saving stood on every receipt, also where nothing was saved.",
)

CLASS = "import bulk_discount\n\n\nclass BulkDiscountTest(unittest.TestCase):\n"
FAULT = Fault(
    edge="exactly as many pieces as the discount starts from",
    test=Edit(
        "tests/test_discounts.py",
        CLASS,
        CLASS.replace("import", "import BULK_FROM,")
        + """    def test_it_starts_with_this_piece(self) -> None:
        self.assertEqual(bulk_discount(BULK_FROM - 1, 100), 0)
        self.assertGreater(bulk_discount(BULK_FROM, 100), 0)

""",
    ),
    mend=Edit("till/discounts.py", "if pieces <= BULK_FROM:", "if pieces < BULK_FROM:"),
    cause="The rule said `<=` where `<` was meant.",
    subject="The discount starts with the first piece that earns it",
)

SCENARIO = Scenario(
    slug="bulk-discount",
    look_for=(r"def (total|price_of|receipt)\b", r"\.total\(\)", r"cents?\b"),
    explain=explain,
    tests=("python", "-m", "unittest"),
    questions=QUESTIONS,
    requirements=requirements,
    items=items,
    slip=SLIP,
    fault=FAULT,
    remarks=("Fractions of a cent are rounded in the shop's favour; say so on the label, or round up.",),
    out_of_scope=("Discounts over different items.", "Dates, coupons, and customers who are known by name."),
)
