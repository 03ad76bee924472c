"""The do-not-call list as CSV: how a file is read, line by line, and how it is written."""

import csv
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

from bridge.cells import bare, shielded
from bridge.config.validation import suggest
from bridge.ledger import Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.model import iso
from bridge.phones import to_e164
from bridge.quantities import parse_duration
from bridge.sources.values import moment

COLUMNS = ("phone", "campaign", "source", "note", "added", "until")
_FREE = ("source", "note")
"""What somebody wrote as he liked."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be taken: ``field`` is what is wrong with it, ``why`` says so in a sentence, which quotes the line."""

    number: int
    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines are understood: ``campaigns`` are those there are, ``region`` is that of numbers without a country code."""

    campaigns: Collection[str]
    now: datetime
    region: str | None = None

    def lines(self, file: Iterable[str]) -> Iterator[Unwanted | BadLine]:
        """Every line behind the first, which names the columns: ``phone``, and any of campaign, source, note, until."""
        rows = csv.DictReader(file, skipinitialspace=True)
        names = [name.strip().lower() for name in rows.fieldnames or ()]
        if "phone" not in names:
            told = f"the first line must name the columns, and one of them `phone`; it says: {', '.join(names) or 'nothing'}"
            yield BadLine(1, "columns", told)
            return
        rows.fieldnames = names
        for row in rows:
            plain = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str)}
            free = {name: bare(plain[name]) for name in _FREE if name in plain}
            yield self._entry({"phone": "", **plain, **free}, rows.line_num)

    def _entry(self, row: dict[str, str], number: int) -> Unwanted | BadLine:
        phone, campaign = to_e164(row["phone"], self.region), row.get("campaign") or EVERY_CAMPAIGN
        if phone is None:
            return BadLine(number, "phone", f"'{row['phone']}' is no phone number: write it with + and the country code, or give --region")
        if campaign not in {EVERY_CAMPAIGN, *self.campaigns}:
            return BadLine(number, "campaign", f"no campaign is called '{campaign}'{suggest(campaign, list(self.campaigns))}")
        try:
            until = read_until(row.get("until", ""), self.now)
        except ValueError as wrong:
            return BadLine(number, "until", str(wrong))
        source, note = row.get("source") or "import", row.get("note", "")
        return Unwanted(phone=phone, campaign=campaign, source=source, note=note, added=self.now, until=until)


def read_until(written: str, now: datetime) -> datetime | None:
    """``30d`` from now, or ISO 8601; without a zone it is UTC. None for nothing. ``ValueError`` says what could be written."""
    if not written.strip():
        return None
    try:
        found = moment(written.strip()) or now + parse_duration(written)
    except (ValueError, OverflowError):
        msg = f"'{written}' is no time: write 30d, or an ISO time such as 2027-01-31T00:00:00Z"
        raise ValueError(msg) from None
    if found <= now:
        msg = f"'{written}' is over already"
        raise ValueError(msg)
    return found


def row(entry: Unwanted) -> dict[str, str]:
    """By column."""
    return {
        "phone": entry.phone,
        "campaign": entry.campaign,
        "source": entry.source,
        "note": entry.note,
        "added": iso(entry.added.replace(microsecond=0)),
        "until": iso(entry.until) if entry.until else "",
    }


def written(entries: Iterable[Unwanted]) -> Iterator[str]:
    """The file, a line at a time; :class:`Reading` takes it back."""
    line = StringIO()
    writer = csv.DictWriter(line, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        yield _taken(line)
        cells = row(entry)
        writer.writerow({**cells, **{name: shielded(cells[name]) for name in _FREE}})
    yield _taken(line)


def _taken(line: StringIO) -> str:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text
