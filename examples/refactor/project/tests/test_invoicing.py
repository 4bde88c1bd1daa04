import unittest
from datetime import date

from invoicing import (
    Address,
    Customer,
    Invoice,
    InvoicingError,
    Line,
    Money,
    NumberRange,
    Party,
    Status,
    TaxRate,
    TaxRule,
    aging,
    best_customers,
    cancel,
    check_vat_id,
    credit,
    credit_text,
    due_reminders,
    flat,
    hours,
    invoice_from_json,
    invoice_text,
    invoice_to_json,
    ledger_csv,
    parse_money,
    pay,
    payments_from_csv,
    remind,
    revenue_by_month,
    send,
    split_evenly,
    tax_return,
    travel,
)

SELLER = Party("Holz & Söhne", Address("Werkstr. 1", "10115", "Berlin"), "DE123456789")
HOME = Customer("K-1", Party("Ada Byron", Address("Gasse 2", "80331", "München")))
ABROAD = Customer("K-2", Party("Pont SA", Address("Rue 3", "75001", "Paris", "FR"), "FR12345678901"))
REGULAR = Customer("K-3", HOME.party, terms_days=10, discount_hundredths=1000, language="de")
LINES = (hours("Planning", 150, Money(8000)), flat("Catalogue", Money(2500), TaxRate.REDUCED))


def invoice(number: str = "2026-0001", customer: Customer = HOME, lines: tuple[Line, ...] = LINES) -> Invoice:
    return Invoice(number, SELLER, customer, date(2026, 3, 1), lines)


def sent(number: str = "2026-0001", customer: Customer = HOME) -> Invoice:
    return send(invoice(number, customer), date(2026, 3, 2))


class MoneyTest(unittest.TestCase):
    def test_amounts_are_written_with_their_currency(self) -> None:
        self.assertEqual([str(Money(123456789)), str(Money(-5, "USD"))], ["1,234,567.89 €", "-0.05 $"])

    def test_currencies_do_not_mix(self) -> None:
        with self.assertRaisesRegex(InvoicingError, "EUR and USD"):
            Money(1) + Money(1, "USD")

    def test_amounts_are_read(self) -> None:
        self.assertEqual([parse_money("1,234.5").cents, parse_money("-3").cents], [123450, -300])

    def test_what_is_no_amount_is_refused(self) -> None:
        for text in ("", "12.345", "1,23", "ten"):
            with self.subTest(text), self.assertRaises(InvoicingError):
                parse_money(text)

    def test_shares_add_up(self) -> None:
        self.assertEqual([share.cents for share in split_evenly(Money(100), 3)], [34, 33, 33])


class PartyTest(unittest.TestCase):
    def test_vat_numbers_are_checked_by_country(self) -> None:
        self.assertEqual(check_vat_id("de 123.456.789"), "DE123456789")
        with self.assertRaisesRegex(InvoicingError, "no VAT number of DE"):
            check_vat_id("DE12")


class InvoiceTest(unittest.TestCase):
    def test_net_tax_and_gross(self) -> None:
        made = invoice()
        self.assertEqual((made.net.cents, made.tax.cents, made.gross.cents), (14500, 2280 + 175, 16955))

    def test_a_general_discount_is_spread_over_the_rates(self) -> None:
        made = invoice(customer=REGULAR)
        self.assertEqual(made.discount.cents, 1450)
        self.assertEqual([(tax.net.cents, tax.tax.cents) for tax in made.taxes], [(10800, 2052), (2250, 158)])

    def test_a_business_abroad_owes_the_tax_itself(self) -> None:
        made = invoice(customer=ABROAD)
        self.assertEqual((made.rule, made.tax.cents), (TaxRule.REVERSE_CHARGE, 0))

    def test_payments_change_the_status(self) -> None:
        made = sent()
        self.assertEqual(made.status, Status.SENT)
        made = pay(made, Money(6955), date(2026, 3, 5))
        self.assertEqual((made.status, made.owed.cents), (Status.PARTLY_PAID, 10000))
        self.assertEqual(pay(made, Money(10000), date(2026, 3, 9)).status, Status.PAID)

    def test_what_was_paid_is_not_cancelled(self) -> None:
        with self.assertRaisesRegex(InvoicingError, "credit note"):
            cancel(pay(sent(), Money(1), date(2026, 3, 5)), date(2026, 3, 6))

    def test_a_credit_note_takes_its_share_of_the_tax(self) -> None:
        note = credit(sent(), "C-1", Money(1450), date(2026, 4, 1), "Delivered late")
        self.assertEqual((note.tax.cents, note.gross.cents), (246, 1696))

    def test_a_line_knows_its_price(self) -> None:
        self.assertEqual(
            [travel(120).net.cents, Line("Oak", 300, Money(999), discount_hundredths=1000).net.cents], [3600, 2697]
        )


class NumberTest(unittest.TestCase):
    def test_numbers_run_by_year_and_gaps_are_found(self) -> None:
        numbers = NumberRange("R")
        self.assertEqual([numbers.next(date(2026, 1, 1)), numbers.next(date(2026, 9, 9))], ["R2026-0001", "R2026-0002"])
        self.assertEqual(numbers.gaps(["R2026-0001", "R2026-0003"]), ["R2026-0002"])


class ReminderTest(unittest.TestCase):
    def test_reminders_follow_each_other_with_a_week_between(self) -> None:
        first = remind(sent(), date(2026, 3, 31))
        assert first is not None
        made, reminder = first
        self.assertEqual(reminder.step.title, "Reminder")
        self.assertIsNone(remind(made, date(2026, 4, 5)))
        second = remind(made, date(2026, 4, 7))
        assert second is not None
        self.assertIn("174.55 €", second[1].text)

    def test_only_what_is_late_is_reminded_of(self) -> None:
        late, early = sent("2026-0001"), sent("2026-0002", Customer("K-9", HOME.party, terms_days=90))
        found = list(due_reminders([early, late], date(2026, 3, 31)))
        self.assertEqual([reminder.invoice.number for reminder in found], ["2026-0001"])


class LetterTest(unittest.TestCase):
    def test_the_letter_of_an_invoice(self) -> None:
        text = invoice_text(send(invoice(customer=REGULAR), date(2026, 3, 2)))
        self.assertTrue(text.startswith("Holz & Söhne, Werkstr. 1, 10115 Berlin\n"))
        for words in ("Rechnung 2026-0001", "Planning  1.5 h x 80.00 €", "Rabatt 10 %", "USt. 19 %", "152.60 €"):
            self.assertIn(words, text)

    def test_the_letter_of_a_credit_note(self) -> None:
        text = credit_text(credit(sent(), "C-1", Money(1450), date(2026, 4, 1), "Delivered late"))
        self.assertIn("Credit note C-1 (Invoice 2026-0001)", text)


class KeepingTest(unittest.TestCase):
    def test_json_and_back(self) -> None:
        made = pay(sent(), Money(100), date(2026, 3, 5), "SEPA")
        self.assertEqual(invoice_from_json(invoice_to_json(made)), made)

    def test_what_is_no_invoice_is_refused(self) -> None:
        with self.assertRaises(InvoicingError):
            invoice_from_json('{"number": "1"}')

    def test_the_ledger(self) -> None:
        rows = ledger_csv([sent("2026-0002"), sent()]).splitlines()
        self.assertEqual(rows[1], "2026-0001,K-1,2026-03-01,2026-03-16,145.00,24.55,169.55,0.00,sent")

    def test_payments_are_read_by_row(self) -> None:
        found = payments_from_csv("number,date,amount,reference\n2026-0001,2026-03-05,69.55,SEPA\n")
        self.assertEqual((found[0][0], found[0][1].amount.cents), ("2026-0001", 6955))
        with self.assertRaisesRegex(InvoicingError, "row 1"):
            payments_from_csv("2026-0001,soon,1,x\n")


class ReportTest(unittest.TestCase):
    def test_what_is_owed_by_age(self) -> None:
        report = aging([sent()], date(2026, 5, 1))
        self.assertEqual(report["up to 60 days"].cents, 16955)
        self.assertFalse(report["not due"])

    def test_revenue_and_best_customers(self) -> None:
        made = [sent(), sent("2026-0002", ABROAD), sent("2026-0003", ABROAD)]
        self.assertEqual({month: money.cents for month, money in revenue_by_month(made).items()}, {"2026-03": 43500})
        self.assertEqual(best_customers(made, 1), [("Pont SA", Money(29000))])

    def test_the_tax_return_of_a_quarter(self) -> None:
        report = tax_return([sent(), sent("2026-0002", ABROAD)], 2026, 1)
        self.assertEqual(report["tax, 19 %"].cents, 2280)
        self.assertEqual(report["net, reverse charge"].cents, 14500)
        self.assertEqual(tax_return([sent()], 2026, 2), {})
