"""Invoicing for a small company: what is sold, what is owed, what was paid, and what is sent to whom.

Amounts are whole cents, dates are `datetime.date`. Nothing here talks to a network or a database: an invoice is made,
changed by payments and credit notes, written as text, and kept as JSON or CSV.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import Enum
from typing import Any


class InvoicingError(Exception):
    """Something about an invoice that cannot be; the message names it."""


# --- Money ---

CURRENCIES = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF"}


@dataclass(frozen=True, order=True)
class Money:
    """An amount in one currency. Sums and differences stay in that currency."""

    cents: int
    currency: str = "EUR"

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise InvoicingError(f"the currency {self.currency!r} is unknown; known: {', '.join(CURRENCIES)}")

    def __add__(self, other: "Money") -> "Money":
        self._check(other)
        return Money(self.cents + other.cents, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._check(other)
        return Money(self.cents - other.cents, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.cents, self.currency)

    def __mul__(self, factor: int) -> "Money":
        return Money(self.cents * factor, self.currency)

    def __bool__(self) -> bool:
        return self.cents != 0

    def __str__(self) -> str:
        sign = "-" if self.cents < 0 else ""
        whole, rest = divmod(abs(self.cents), 100)
        return f"{sign}{group_thousands(whole)}.{rest:02d} {CURRENCIES[self.currency]}"

    def _check(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise InvoicingError(f"{self.currency} and {other.currency} cannot be added up")


def group_thousands(number: int) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,}"


def round_half_up(numerator: int, denominator: int) -> int:
    """A quotient, rounded to the nearest whole number; halves away from zero."""
    quotient, rest = divmod(abs(numerator), denominator)
    if 2 * rest >= denominator:
        quotient += 1
    return quotient if numerator >= 0 else -quotient


def percentage(amount: Money, percent_hundredths: int) -> Money:
    """A share of an amount; 1900 is 19 %."""
    return Money(round_half_up(amount.cents * percent_hundredths, 10_000), amount.currency)


def parse_money(text: str, currency: str = "EUR") -> Money:
    """Read "1,234.50", "12" or "-3.5". Raises InvoicingError."""
    match = re.fullmatch(r"\s*(-?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{1,2}))?\s*", text)
    if not match:
        raise InvoicingError(f"{text!r} is no amount: write it as 1,234.50")
    cents = int(match[2].replace(",", "")) * 100 + int((match[3] or "0").ljust(2, "0"))
    return Money(-cents if match[1] else cents, currency)


def split_evenly(amount: Money, parts: int) -> list[Money]:
    """Shares that differ by a cent at most and add up to the amount; the larger ones come first."""
    if parts < 1:
        raise InvoicingError(f"an amount cannot be split into {parts} parts")
    share, rest = divmod(abs(amount.cents), parts)
    sign = -1 if amount.cents < 0 else 1
    return [Money(sign * (share + (1 if i < rest else 0)), amount.currency) for i in range(parts)]


def total(amounts: Iterable[Money], currency: str = "EUR") -> Money:
    """The sum; nothing sums up to zero."""
    result = Money(0, currency)
    for amount in amounts:
        result = result + amount
    return result


# --- Parties ---

IN_EURO_AREA = (
    "AT",
    "BE",
    "CY",
    "DE",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PT",
)
EU_COUNTRIES = frozenset((*IN_EURO_AREA, "BG", "CZ", "DK", "HU", "PL", "RO", "SE", "SI", "SK"))
VAT_ID_PATTERNS = {
    "AT": r"ATU\d{8}",
    "BE": r"BE[01]\d{9}",
    "DE": r"DE\d{9}",
    "FR": r"FR[A-Z0-9]{2}\d{9}",
    "IT": r"IT\d{11}",
    "NL": r"NL\d{9}B\d{2}",
}


@dataclass(frozen=True)
class Address:
    """Where somebody is."""

    street: str
    postcode: str
    city: str
    country: str = "DE"

    def lines(self, home: str = "DE") -> list[str]:
        """As it stands on a letter; the country only where it is another one."""
        lines = [self.street, f"{self.postcode} {self.city}"]
        if self.country != home:
            lines.append(self.country)
        return lines


@dataclass(frozen=True)
class Party:
    """Who sells, or who buys."""

    name: str
    address: Address
    vat_id: str = ""
    email: str = ""

    @property
    def is_business(self) -> bool:
        """Whether a VAT number is known, so that tax may be theirs to pay."""
        return bool(self.vat_id)


@dataclass(frozen=True)
class Customer:
    """A buyer, with what was agreed."""

    number: str
    party: Party
    terms_days: int = 14
    discount_hundredths: int = 0  # 500 is 5 % off every invoice
    language: str = "en"


def check_vat_id(vat_id: str) -> str:
    """The number without spaces and dots, in capitals. Raises InvoicingError where its form is wrong."""
    compact = re.sub(r"[\s.]", "", vat_id).upper()
    country = compact[:2]
    if country not in EU_COUNTRIES:
        raise InvoicingError(f"{vat_id!r} does not begin with a country of the EU")
    pattern = VAT_ID_PATTERNS.get(country, country + r"[A-Z0-9]{8,12}")
    if not re.fullmatch(pattern, compact):
        raise InvoicingError(f"{vat_id!r} is no VAT number of {country}")
    return compact


def check_email(email: str) -> str:
    """The address, trimmed. Raises InvoicingError where it cannot be one."""
    trimmed = email.strip()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", trimmed):
        raise InvoicingError(f"{email!r} is no e-mail address")
    return trimmed


# --- Tax ---


class TaxRate(Enum):
    """Value added tax, in hundredths of a percent."""

    STANDARD = 1900
    REDUCED = 700
    NONE = 0

    @property
    def label(self) -> str:
        return f"{self.value / 100:g} %"


class TaxRule(Enum):
    """Who owes the tax on a sale."""

    DOMESTIC = "domestic"
    REVERSE_CHARGE = "reverse charge"
    EXPORT = "export"


TAX_NOTES = {
    TaxRule.DOMESTIC: "",
    TaxRule.REVERSE_CHARGE: "Tax is owed by the recipient of the service (reverse charge).",
    TaxRule.EXPORT: "Not taxable: supply to a country outside the EU.",
}


def tax_rule(seller: Party, buyer: Party) -> TaxRule:
    """What applies between these two: by country, and by whether the buyer is a business."""
    if seller.address.country == buyer.address.country:
        return TaxRule.DOMESTIC
    if buyer.address.country not in EU_COUNTRIES:
        return TaxRule.EXPORT
    return TaxRule.REVERSE_CHARGE if buyer.is_business else TaxRule.DOMESTIC


# --- Lines ---

UNITS = {"piece": "pc", "hour": "h", "day": "d", "month": "mo", "kilometre": "km"}


@dataclass(frozen=True)
class Line:
    """One thing that is charged. Quantities are in hundredths, so that 1.5 hours are 150."""

    text: str
    quantity_hundredths: int
    price: Money  # for one unit, without tax
    unit: str = "piece"
    rate: TaxRate = TaxRate.STANDARD
    discount_hundredths: int = 0  # 1000 is 10 % off this line

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InvoicingError("a line needs a text")
        if self.quantity_hundredths <= 0:
            raise InvoicingError(f"{self.text}: the quantity must be above zero")
        if self.unit not in UNITS:
            raise InvoicingError(f"{self.text}: the unit {self.unit!r} is unknown; known: {', '.join(UNITS)}")
        if not 0 <= self.discount_hundredths <= 10_000:
            raise InvoicingError(f"{self.text}: a discount is between 0 and 100 %")

    @property
    def gross_of_discount(self) -> Money:
        """Quantity times price, before the discount of this line."""
        return Money(round_half_up(self.price.cents * self.quantity_hundredths, 100), self.price.currency)

    @property
    def discount(self) -> Money:
        return percentage(self.gross_of_discount, self.discount_hundredths)

    @property
    def net(self) -> Money:
        """What this line costs without tax."""
        return self.gross_of_discount - self.discount

    @property
    def quantity_text(self) -> str:
        """1.5 h, 3 pc."""
        return f"{self.quantity_hundredths / 100:g} {UNITS[self.unit]}"


def hours(text: str, quantity_hundredths: int, price: Money) -> Line:
    """Work by the hour."""
    return Line(text, quantity_hundredths, price, unit="hour")


def travel(kilometres: int, price: Money | None = None) -> Line:
    """A trip by car, at 30 cents a kilometre unless something else was agreed."""
    return Line("Travel by car", kilometres * 100, price or Money(30), unit="kilometre")


def flat(text: str, price: Money, rate: TaxRate = TaxRate.STANDARD) -> Line:
    """One price for the whole of it."""
    return Line(text, 100, price, rate=rate)


# --- Invoices ---


class Status(Enum):
    """Where an invoice stands."""

    DRAFT = "draft"
    SENT = "sent"
    PARTLY_PAID = "partly paid"
    PAID = "paid"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Payment:
    """Money that came in."""

    on: date
    amount: Money
    reference: str = ""


@dataclass(frozen=True)
class TaxTotal:
    """The tax at one rate."""

    rate: TaxRate
    net: Money
    tax: Money


@dataclass(frozen=True)
class Invoice:
    """What a customer is asked to pay. Every change makes a new value."""

    number: str
    seller: Party
    customer: Customer
    issued: date
    lines: tuple[Line, ...]
    currency: str = "EUR"
    payments: tuple[Payment, ...] = ()
    sent: date | None = None
    cancelled: date | None = None
    reminders: tuple[date, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not self.lines:
            raise InvoicingError(f"{self.number}: an invoice needs a line")
        for line in self.lines:
            if line.price.currency != self.currency:
                raise InvoicingError(f"{self.number}: {line.text} is priced in {line.price.currency}")

    @property
    def rule(self) -> TaxRule:
        return tax_rule(self.seller, self.customer.party)

    @property
    def net_before_discount(self) -> Money:
        return total((line.net for line in self.lines), self.currency)

    @property
    def discount(self) -> Money:
        """What the customer's general discount takes off."""
        return percentage(self.net_before_discount, self.customer.discount_hundredths)

    @property
    def net(self) -> Money:
        return self.net_before_discount - self.discount

    @property
    def taxes(self) -> list[TaxTotal]:
        """The tax by rate, highest first; the general discount is spread over the rates by their share."""
        if self.rule is not TaxRule.DOMESTIC:
            return []
        nets: dict[TaxRate, Money] = {}
        for line in self.lines:
            nets[line.rate] = nets.get(line.rate, Money(0, self.currency)) + line.net
        rates = sorted(nets, key=lambda rate: -rate.value)
        left = self.discount
        totals = []
        for position, rate in enumerate(rates):
            last = position == len(rates) - 1
            share = left if last else percentage(nets[rate], self.customer.discount_hundredths)
            left = left - share
            net = nets[rate] - share
            totals.append(TaxTotal(rate, net, percentage(net, rate.value)))
        return totals

    @property
    def tax(self) -> Money:
        return total((tax.tax for tax in self.taxes), self.currency)

    @property
    def gross(self) -> Money:
        """What is to be paid."""
        return self.net + self.tax

    @property
    def paid(self) -> Money:
        return total((payment.amount for payment in self.payments), self.currency)

    @property
    def owed(self) -> Money:
        """What is still to be paid; nothing for a draft and a cancelled invoice."""
        if self.sent is None or self.cancelled is not None:
            return Money(0, self.currency)
        return self.gross - self.paid

    @property
    def due(self) -> date:
        return (self.sent or self.issued) + timedelta(days=self.customer.terms_days)

    @property
    def status(self) -> Status:
        if self.cancelled is not None:
            return Status.CANCELLED
        if self.sent is None:
            return Status.DRAFT
        if self.owed.cents <= 0:
            return Status.PAID
        return Status.PARTLY_PAID if self.payments else Status.SENT

    def days_late(self, today: date) -> int:
        """How many days past due; 0 when nothing is owed or it is not due yet."""
        return max(0, (today - self.due).days) if self.owed.cents > 0 else 0


def send(invoice: Invoice, on: date) -> Invoice:
    """The invoice as sent. Raises InvoicingError where it went out before, or before it was issued."""
    if invoice.status is not Status.DRAFT:
        raise InvoicingError(f"{invoice.number} is {invoice.status.value}: only a draft can be sent")
    if on < invoice.issued:
        raise InvoicingError(f"{invoice.number} cannot be sent on {on}, before it was issued on {invoice.issued}")
    return replace(invoice, sent=on)


def pay(invoice: Invoice, amount: Money, on: date, reference: str = "") -> Invoice:
    """The invoice with a payment. Raises InvoicingError where nothing is owed, or not in this currency."""
    if invoice.status not in (Status.SENT, Status.PARTLY_PAID):
        raise InvoicingError(f"{invoice.number} is {invoice.status.value}: it takes no payment")
    if amount.currency != invoice.currency:
        raise InvoicingError(f"{invoice.number} is to be paid in {invoice.currency}")
    if amount.cents <= 0:
        raise InvoicingError(f"{invoice.number}: a payment is above zero, got {amount}")
    return replace(invoice, payments=(*invoice.payments, Payment(on, amount, reference)))


def cancel(invoice: Invoice, on: date) -> Invoice:
    """The invoice as cancelled. Raises InvoicingError where money came in already."""
    if invoice.payments:
        raise InvoicingError(f"{invoice.number} was paid in part: write a credit note")
    if invoice.cancelled is not None:
        raise InvoicingError(f"{invoice.number} was cancelled on {invoice.cancelled}")
    return replace(invoice, cancelled=on)


# --- Credit notes ---


@dataclass(frozen=True)
class CreditNote:
    """Money that the seller gives back for an invoice."""

    number: str
    invoice: Invoice
    issued: date
    net: Money
    reason: str

    @property
    def tax(self) -> Money:
        """The share of the invoice's tax that goes with this net amount."""
        if not self.invoice.net:
            return Money(0, self.invoice.currency)
        cents = round_half_up(self.invoice.tax.cents * self.net.cents, self.invoice.net.cents)
        return Money(cents, self.invoice.currency)

    @property
    def gross(self) -> Money:
        return self.net + self.tax


def credit(invoice: Invoice, number: str, net: Money, on: date, reason: str) -> CreditNote:
    """A credit note for a part of an invoice. Raises InvoicingError where it is no part of it."""
    if invoice.status in (Status.DRAFT, Status.CANCELLED):
        raise InvoicingError(f"{invoice.number} is {invoice.status.value}: there is nothing to credit")
    if net.cents <= 0 or net > invoice.net:
        raise InvoicingError(f"{invoice.number}: a credit note is above zero and at most {invoice.net}, got {net}")
    if not reason.strip():
        raise InvoicingError(f"{invoice.number}: a credit note needs a reason")
    return CreditNote(number, invoice, on, net, reason.strip())


# --- Numbers ---


@dataclass
class NumberRange:
    """Numbers without gaps, by year: 2026-0001, 2026-0002."""

    prefix: str = ""
    width: int = 4
    last: dict[int, int] = field(default_factory=dict)

    def next(self, on: date) -> str:
        """The next number of that year."""
        self.last[on.year] = self.last.get(on.year, 0) + 1
        return self.format(on.year, self.last[on.year])

    def format(self, year: int, number: int) -> str:
        return f"{self.prefix}{year}-{number:0{self.width}d}"

    def parse(self, text: str) -> tuple[int, int]:
        """Year and number. Raises InvoicingError."""
        match = re.fullmatch(re.escape(self.prefix) + r"(\d{4})-(\d+)", text)
        if not match:
            raise InvoicingError(f"{text!r} is no number of the range {self.prefix}YYYY-N")
        return int(match[1]), int(match[2])

    def gaps(self, used: Iterable[str]) -> list[str]:
        """Numbers that were left out, by year."""
        years: dict[int, set[int]] = defaultdict(set)
        for text in used:
            year, number = self.parse(text)
            years[year].add(number)
        missing = []
        for year in sorted(years):
            expected = range(1, max(years[year]) + 1)
            missing += [self.format(year, number) for number in expected if number not in years[year]]
        return missing


# --- Reminders ---


@dataclass(frozen=True)
class Step:
    """One step of reminding."""

    days_late: int
    title: str
    fee: Money
    text: str


STEPS = (
    Step(3, "Reminder", Money(0), "You may have missed our invoice {number} over {owed}, due on {due}."),
    Step(14, "Second reminder", Money(500), "Our invoice {number} is {days} days late. Please pay {owed} by {until}."),
    Step(30, "Last reminder", Money(1500), "Unless {owed} for invoice {number} is here by {until}, we go to court."),
)
GRACE_DAYS = 7


@dataclass(frozen=True)
class Reminder:
    """A letter that is due."""

    invoice: Invoice
    step: Step
    on: date

    @property
    def amount(self) -> Money:
        """What is owed, with the fee of this step."""
        return self.invoice.owed + Money(self.step.fee.cents, self.invoice.currency)

    @property
    def text(self) -> str:
        return self.step.text.format(
            number=self.invoice.number,
            owed=self.amount,
            due=self.invoice.due.isoformat(),
            days=self.invoice.days_late(self.on),
            until=(self.on + timedelta(days=GRACE_DAYS)).isoformat(),
        )


def next_step(invoice: Invoice, today: date) -> Step | None:
    """The step that is due; each is taken once, and at least a week after the one before."""
    taken = len(invoice.reminders)
    if taken >= len(STEPS) or invoice.days_late(today) < STEPS[taken].days_late:
        return None
    if invoice.reminders and (today - invoice.reminders[-1]).days < GRACE_DAYS:
        return None
    return STEPS[taken]


def remind(invoice: Invoice, today: date) -> tuple[Invoice, Reminder] | None:
    """The invoice with the reminder noted, and the reminder; None where none is due."""
    step = next_step(invoice, today)
    if step is None:
        return None
    return replace(invoice, reminders=(*invoice.reminders, today)), Reminder(invoice, step, today)


def due_reminders(invoices: Iterable[Invoice], today: date) -> Iterator[Reminder]:
    """All reminders that are due, the latest invoices first."""
    for invoice in sorted(invoices, key=lambda invoice: -invoice.days_late(today)):
        reminded = remind(invoice, today)
        if reminded is not None:
            yield reminded[1]


# --- Text ---

WIDTH = 72
KEYS = ("invoice", "date", "due", "net", "tax", "total", "discount", "paid", "owed", "credit")
ENGLISH = ("Invoice", "Date", "Due", "Net", "VAT", "Total", "Discount", "Paid", "Still owed", "Credit note")
GERMAN = ("Rechnung", "Datum", "Fällig", "Netto", "USt.", "Summe", "Rabatt", "Bezahlt", "Noch offen", "Gutschrift")
WORDS = {"en": dict(zip(KEYS, ENGLISH, strict=True)), "de": dict(zip(KEYS, GERMAN, strict=True))}


def words_for(language: str) -> Mapping[str, str]:
    """The words on a letter; English where a language is not known."""
    return WORDS.get(language, WORDS["en"])


def row(left: str, right: object, width: int = WIDTH) -> str:
    """Words on the left and an amount on the right; too long words are cut."""
    amount = str(right)
    room = width - len(amount) - 1
    return f"{left[:room]:<{room}} {amount}"


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters; a longer word stands alone."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def letterhead(seller: Party, buyer: Party) -> list[str]:
    """Both addresses, as they stand at the top of a letter."""
    sender = ", ".join([seller.name, *seller.address.lines(seller.address.country)])
    lines = [sender[:WIDTH], "-" * min(len(sender), WIDTH), buyer.name]
    return [*lines, *buyer.address.lines(seller.address.country), ""]


def invoice_text(invoice: Invoice) -> str:
    """The whole letter."""
    words = words_for(invoice.customer.language)
    lines = letterhead(invoice.seller, invoice.customer.party)
    lines += [
        f"{words['invoice']} {invoice.number}",
        f"{words['date']}: {invoice.issued}  {words['due']}: {invoice.due}",
        "",
    ]
    for line in invoice.lines:
        lines += line_rows(line)
    lines.append("-" * WIDTH)
    if invoice.discount:
        lines.append(row(f"{words['discount']} {invoice.customer.discount_hundredths / 100:g} %", -invoice.discount))
    lines.append(row(words["net"], invoice.net))
    for tax in invoice.taxes:
        lines.append(row(f"{words['tax']} {tax.rate.label}", tax.tax))
    lines.append(row(words["total"], invoice.gross))
    if invoice.payments:
        lines += [row(words["paid"], -invoice.paid), row(words["owed"], invoice.owed)]
    for note in (TAX_NOTES[invoice.rule], invoice.note):
        if note:
            lines += ["", *wrap(note, WIDTH)]
    return "\n".join(lines) + "\n"


def line_rows(line: Line) -> list[str]:
    """One or more rows for a line: long texts wrap, a discount stands below."""
    first, *more = wrap(line.text, WIDTH - 30) or [line.text]
    rows = [row(f"{first}  {line.quantity_text} x {line.price}", line.gross_of_discount)]
    rows += [f"  {text}" for text in more]
    if line.discount_hundredths:
        rows.append(row(f"  - {line.discount_hundredths / 100:g} %", -line.discount))
    return rows


def credit_text(note: CreditNote) -> str:
    """The letter of a credit note."""
    words = words_for(note.invoice.customer.language)
    lines = letterhead(note.invoice.seller, note.invoice.customer.party)
    lines += [
        f"{words['credit']} {note.number} ({words['invoice']} {note.invoice.number})",
        f"{words['date']}: {note.issued}",
        "",
    ]
    lines += [*wrap(note.reason, WIDTH), "", row(words["net"], note.net), row(words["tax"], note.tax)]
    return "\n".join([*lines, row(words["total"], note.gross)]) + "\n"


# --- Keeping ---


def invoice_to_json(invoice: Invoice) -> str:
    """The invoice as one JSON object."""
    return json.dumps(_invoice_value(invoice), indent=2, ensure_ascii=False)


def _invoice_value(invoice: Invoice) -> dict[str, Any]:
    return {
        "number": invoice.number,
        "currency": invoice.currency,
        "issued": invoice.issued.isoformat(),
        "sent": invoice.sent.isoformat() if invoice.sent else None,
        "cancelled": invoice.cancelled.isoformat() if invoice.cancelled else None,
        "reminders": [on.isoformat() for on in invoice.reminders],
        "note": invoice.note,
        "seller": _party_value(invoice.seller),
        "customer": {
            "number": invoice.customer.number,
            "party": _party_value(invoice.customer.party),
            "terms_days": invoice.customer.terms_days,
            "discount_hundredths": invoice.customer.discount_hundredths,
            "language": invoice.customer.language,
        },
        "lines": [_line_value(line) for line in invoice.lines],
        "payments": [
            {"on": payment.on.isoformat(), "cents": payment.amount.cents, "reference": payment.reference}
            for payment in invoice.payments
        ],
    }


def _party_value(party: Party) -> dict[str, Any]:
    address = {"street": party.address.street, "postcode": party.address.postcode, "city": party.address.city}
    return {
        "name": party.name,
        "vat_id": party.vat_id,
        "email": party.email,
        "address": {**address, "country": party.address.country},
    }


def _line_value(line: Line) -> dict[str, Any]:
    return {
        "text": line.text,
        "quantity_hundredths": line.quantity_hundredths,
        "cents": line.price.cents,
        "unit": line.unit,
        "rate": line.rate.name,
        "discount_hundredths": line.discount_hundredths,
    }


def invoice_from_json(text: str) -> Invoice:
    """The invoice that `invoice_to_json` wrote. Raises InvoicingError where something is missing."""
    try:
        value = json.loads(text)
        return _invoice_from(value)
    except (KeyError, TypeError, ValueError) as error:
        raise InvoicingError(f"this is no invoice: {error!r}") from error


def _invoice_from(value: Mapping[str, Any]) -> Invoice:
    customer, currency = value["customer"], value["currency"]
    return Invoice(
        number=value["number"],
        seller=_party_from(value["seller"]),
        customer=Customer(
            customer["number"],
            _party_from(customer["party"]),
            customer["terms_days"],
            customer["discount_hundredths"],
            customer["language"],
        ),
        issued=date.fromisoformat(value["issued"]),
        lines=tuple(_line_from(line, currency) for line in value["lines"]),
        currency=currency,
        payments=tuple(
            Payment(date.fromisoformat(item["on"]), Money(item["cents"], currency), item["reference"])
            for item in value["payments"]
        ),
        sent=_optional_date(value["sent"]),
        cancelled=_optional_date(value["cancelled"]),
        reminders=tuple(date.fromisoformat(on) for on in value["reminders"]),
        note=value["note"],
    )


def _party_from(value: Mapping[str, Any]) -> Party:
    return Party(value["name"], Address(**value["address"]), value["vat_id"], value["email"])


def _line_from(value: Mapping[str, Any], currency: str) -> Line:
    return Line(
        value["text"],
        value["quantity_hundredths"],
        Money(value["cents"], currency),
        value["unit"],
        TaxRate[value["rate"]],
        value["discount_hundredths"],
    )


def _optional_date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


LEDGER_COLUMNS = ("number", "customer", "issued", "due", "net", "tax", "gross", "paid", "status")


def ledger_csv(invoices: Iterable[Invoice]) -> str:
    """One row an invoice, by number, for the accountant."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(LEDGER_COLUMNS)
    for invoice in sorted(invoices, key=lambda invoice: invoice.number):
        amounts = [amount_text(amount) for amount in (invoice.net, invoice.tax, invoice.gross, invoice.paid)]
        dates = [invoice.issued.isoformat(), invoice.due.isoformat()]
        writer.writerow([invoice.number, invoice.customer.number, *dates, *amounts, invoice.status.value])
    return out.getvalue()


def amount_text(amount: Money) -> str:
    """An amount without its currency, as spreadsheets read it."""
    sign = "-" if amount.cents < 0 else ""
    return f"{sign}{abs(amount.cents) // 100}.{abs(amount.cents) % 100:02d}"


def payments_from_csv(text: str) -> list[tuple[str, Payment]]:
    """Invoice number and payment from rows of `number,date,amount,reference`. Raises InvoicingError with the row."""
    found = []
    for position, cells in enumerate(csv.reader(io.StringIO(text)), 1):
        if not cells or cells[0] == "number":
            continue
        try:
            number, on, amount, reference = cells
            found.append((number, Payment(date.fromisoformat(on), parse_money(amount), reference)))
        except (ValueError, InvoicingError) as error:
            raise InvoicingError(f"row {position} is no payment: {error}") from error
    return found


# --- Reports ---

AGES = ((0, "not due"), (30, "up to 30 days"), (60, "up to 60 days"), (90, "up to 90 days"))
OLDEST = "over 90 days"


def age_of(invoice: Invoice, today: date) -> str:
    """How late an invoice is, in words."""
    late = invoice.days_late(today)
    return next((words for days, words in AGES if late <= days), OLDEST)


def aging(invoices: Iterable[Invoice], today: date, currency: str = "EUR") -> dict[str, Money]:
    """What is owed, by how late it is; every age is there."""
    report = {words: Money(0, currency) for _, words in AGES} | {OLDEST: Money(0, currency)}
    for invoice in invoices:
        if invoice.owed.cents > 0 and invoice.currency == currency:
            age = age_of(invoice, today)
            report[age] = report[age] + invoice.owed
    return report


def revenue_by_month(invoices: Iterable[Invoice], currency: str = "EUR") -> dict[str, Money]:
    """Net amounts of what was sent, by month, in order."""
    months: dict[str, Money] = {}
    for invoice in invoices:
        if invoice.sent is not None and invoice.cancelled is None and invoice.currency == currency:
            month = f"{invoice.sent:%Y-%m}"
            months[month] = months.get(month, Money(0, currency)) + invoice.net
    return dict(sorted(months.items()))


def best_customers(invoices: Iterable[Invoice], count: int = 3) -> list[tuple[str, Money]]:
    """Who bought most, net, by name; ties by name."""
    sums: dict[str, Money] = {}
    for invoice in invoices:
        if invoice.sent is not None and invoice.cancelled is None:
            name = invoice.customer.party.name
            sums[name] = sums[name] + invoice.net if name in sums else invoice.net
    return sorted(sums.items(), key=lambda pair: (-pair[1].cents, pair[0]))[:count]


def tax_return(invoices: Sequence[Invoice], year: int, quarter: int) -> dict[str, Money]:
    """Net and tax of a quarter by rate, and what was sold under other rules."""
    months = range(3 * quarter - 2, 3 * quarter + 1)
    report: dict[str, Money] = {}

    def add(key: str, amount: Money) -> None:
        report[key] = report[key] + amount if key in report else amount

    for invoice in invoices:
        if invoice.sent is None or invoice.cancelled is not None:
            continue
        if invoice.sent.year != year or invoice.sent.month not in months:
            continue
        if invoice.rule is not TaxRule.DOMESTIC:
            add(f"net, {invoice.rule.value}", invoice.net)
        for tax in invoice.taxes:
            add(f"net, {tax.rate.label}", tax.net)
            add(f"tax, {tax.rate.label}", tax.tax)
    return report
