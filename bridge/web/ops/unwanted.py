"""``/ops/do-not-call``: numbers that nobody calls: looking one up, adding, removing, and the whole list as a file.

No page shows a number whole. A line of the list is named by a mark that only this bridge can make of its number, so that it can be
removed without standing there.
"""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.ledger import Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.model import from_ms, to_ms, unique
from bridge.number_lists import BadLine, Reading, read_until, written
from bridge.phones import to_e164
from bridge.web.access import operator
from bridge.web.ops.forms import large
from bridge.wiring import Services

PAGE = 50
MOST_NAMED = 20
"""Bad lines of a file that are named one by one."""

LONGEST_NOTE = 500

_MARK = re.compile(r"([0-9]{1,14})-([0-9a-f]{32})")
_BAD = {
    "columns": "the first line must name the columns, and one of them phone",
    "phone": "its number cannot be read: write it with + and the country code, or choose a country",
    "campaign": "there is no such campaign",
    "until": "its time cannot be read, or is over",
}
"""What is wrong with a line, without quoting it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, and the mark that names it; ``over``: it has run out."""

    entry: Unwanted
    mark: str
    over: bool


def add(blueprint: Blueprint, services: Services) -> None:
    """The list and everything that is done to it."""
    pages = UnwantedPages(services)
    blueprint.add_url_rule("/do-not-call", "unwanted", pages.show)
    blueprint.add_url_rule("/do-not-call/add", "unwanted_add", pages.add, methods=["POST"])
    blueprint.add_url_rule("/do-not-call/remove", "unwanted_remove", pages.remove, methods=["POST"])
    blueprint.add_url_rule("/do-not-call/import", "unwanted_import", pages.import_, methods=["POST"])
    blueprint.add_url_rule("/do-not-call/export", "unwanted_export", pages.export, methods=["POST"])


class UnwantedPages:
    """The list, its forms, and what they do."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._list = services.ordering.list
        self._campaigns = tuple(services.config.campaigns)
        self._regions = sorted({source.region for source in services.config.sources.values() if source.region})

    def show(self) -> str:
        return self._page()

    def add(self) -> AnyResponse | tuple[str, int]:
        form, now = request.form, self._services.clock()
        objections: dict[str, str] = {}
        phones, campaign = self._numbers(form.get("phone", "")), form.get("campaign", "") or EVERY_CAMPAIGN
        if len(phones) != 1:
            objections["phone"] = "This is no number, or could be several: write it with + and the country code."
        if campaign not in {EVERY_CAMPAIGN, *self._campaigns}:
            objections["campaign"] = "There is no such campaign."
        try:
            until = read_until(form.get("until", ""), now)
        except ValueError as wrong:
            objections["until"] = f"{str(wrong)[:1].upper()}{str(wrong)[1:]}."
        if objections:
            return self._page(objections=objections, typed=form), 422
        entry = Unwanted(phone=phones[0], campaign=campaign, note=form.get("note", "").strip()[:LONGEST_NOTE], added=now, until=until)
        stopped = self._services.operating.add_unwanted([entry], operator())
        flash(f"The number is on the list.{_stopping(stopped)}", "good")
        return redirect(url_for("ops.unwanted"), 303)

    def remove(self) -> AnyResponse:
        phone, campaign = self._marked(request.form.get("mark", "")), request.form.get("campaign", "")
        gone = self._services.operating.remove_unwanted(phone, campaign, operator()) if phone and campaign else 0
        flash(
            *(
                ("The entry is off the list. Calls that it prevented are not made up for.", "good")
                if gone
                else ("It was not on the list any more.", "doubtful")
            )
        )
        return redirect(url_for("ops.unwanted"), 303)

    @large
    def import_(self) -> AnyResponse | tuple[str, int]:
        """A file: all of it, or the good lines where that is asked for, or nothing."""
        region = request.form.get("region", "")
        reading = Reading(self._campaigns, self._services.clock(), region if region in self._regions else None)
        read = list(reading.lines(StringIO(self._file(), newline="")))
        good, bad = [line for line in read if isinstance(line, Unwanted)], [line for line in read if isinstance(line, BadLine)]
        if not read:
            return self._page(objections={"file": "Choose a file. It has no line, or there is none."}), 422
        if bad and "skip" not in request.form:
            return self._page(bad=_told(bad), refused=len(bad), lines_read=len(read)), 422
        stopped = self._services.operating.add_unwanted(good, operator())
        left = f" {len(bad):,} bad line{'s were' if len(bad) != 1 else ' was'} left out." if bad else ""
        flash(
            f"{len(good):,} entr{'ies are' if len(good) != 1 else 'y is'} on the list.{left}{_stopping(stopped)}", "good" if not bad else "doubtful"
        )
        return redirect(url_for("ops.unwanted"), 303)

    def export(self) -> Response:
        """The whole list with whole numbers; written down first."""
        self._services.operating.export_unwanted(operator())
        lines: Iterator[str] = written(self._list.all())
        name = f"do-not-call-{self._services.clock():%Y-%m-%d}.csv"
        return Response(lines, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'})

    def _page(self, *, objections: Mapping[str, str] | None = None, typed: Mapping[str, str] | None = None, **more: Any) -> str:
        sought, size, start = request.args.get("q", "").strip(), self._list.size(), _start(request.args.get("from", ""))
        found = [entry for phone in self._numbers(sought) for entry in self._list.of(phone)] if sought else self._list.page(start, PAGE)
        older = None if sought or start + PAGE >= size else _from(start + PAGE)
        newer = _from(max(0, start - PAGE)) if start and not sought else None
        return render_template(
            "unwanted.html",
            lines=self._lines(found),
            sought=sought,
            readable=bool(self._numbers(sought)),
            size=size,
            older=older,
            newer=newer,
            campaigns=self._campaigns,
            regions=self._regions,
            every=EVERY_CAMPAIGN,
            objections=objections or {},
            typed=typed or {"phone": sought},
            longest_note=LONGEST_NOTE,
            most_bytes=self._services.config.server.max_body,
            **more,
        )

    def _numbers(self, text: str) -> list[str]:
        """The numbers that this may be: with a country code, or from where one of the sources is."""
        found = [to_e164(text, region) for region in (None, *self._regions)]
        return list(unique([number for number in found if number]))

    def _lines(self, entries: Sequence[Unwanted]) -> list[Line]:
        now = self._services.clock()
        last = {entry.phone: max(other.added for other in entries if other.phone == entry.phone) for entry in entries}
        return [Line(entry, f"{to_ms(last[entry.phone])}-{self._sign(entry.phone)}", not entry.holds(now)) for entry in entries]

    def _marked(self, mark: str) -> str | None:
        """The number that a mark names, while it is on the list."""
        found = _MARK.fullmatch(mark) or abort(400)
        there = self._list.added_at(from_ms(int(found[1])))
        return next((phone for phone in there if hmac.compare_digest(self._sign(phone), found[2])), None)

    def _sign(self, phone: str) -> str:
        key = self._services.operators.form_key()
        return hmac.new(key, f"do-not-call:{phone}".encode(), hashlib.sha256).hexdigest()[:32]

    @staticmethod
    def _file() -> str:
        sent = request.files.get("file")
        return sent.read().decode("utf-8-sig", "replace") if sent else ""


def _start(written_: str) -> int:
    return int(written_) if written_.isascii() and written_.isdigit() and len(written_) < 10 else 0


def _from(place: int) -> str:
    return f"{url_for('ops.unwanted')}?from={place}" if place else url_for("ops.unwanted")


def _stopping(numbers: int) -> str:
    return f" For {numbers:,} of them calls may wait or be planned: they are being stopped." if numbers else ""


def _told(bad: Sequence[BadLine]) -> list[str]:
    """The first of them by their numbers, and how many there are of each kind beyond."""
    named = [f"Line {line.number}: {_BAD[line.field]}." for line in bad[:MOST_NAMED]]
    rest = Counter(line.field for line in bad[MOST_NAMED:])
    return [*named, *(f"And in {count:,} more lines: {_BAD[field]}." for field, count in rest.items())]
