"""``/do-not-call``: numbers that nobody calls."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from phonenumbers import SUPPORTED_REGIONS

from bridge.errors import Unusable
from bridge.ledger import Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.number_lists import read_until
from bridge.phones import to_e164
from bridge.web.access import operator
from bridge.web.api import telling
from bridge.web.api.models import acts as told
from bridge.web.api.models.forms import RemovalQuery, UnwantedForm, UnwantedForms, UnwantedName, UnwantedQuery
from bridge.web.api.operations import Operations
from bridge.web.api.places import cursor, opaque
from bridge.web.api.refusing import missing
from bridge.web.api.veil import veil_of_nobody
from bridge.wiring import Services


def add(api: Operations, services: Services) -> None:
    """The list."""
    api = api.about("do-not-call", "Numbers that nobody calls, in one campaign or in all. The list is asked before every call.")
    entries = services.ordering.list

    @api.get("/do-not-call", told.UnwantedPage)
    def list_unwanted(query: UnwantedQuery) -> told.UnwantedPage:
        """The do-not-call list

        The number added last comes first. `limit` counts numbers; one may have an entry for each campaign.
        """
        phone = _number(query.phone) if query.phone else None
        if query.reveal:
            services.operating.look_at("the do-not-call list", [f"phone:{phone}"] if phone else (), operator())
        found, after = (entries.of(phone), None) if phone else entries.behind(cursor(query.after), query.limit)
        veil, now = veil_of_nobody(lifted=query.reveal), services.clock()
        return told.UnwantedPage(items=[telling.unwanted(entry, veil, holds=entry.holds(now)) for entry in found], next=opaque(after))

    @api.post("/do-not-call", told.UnwantedAdded, 200, large=True)
    def add_unwanted(body: UnwantedForms) -> told.UnwantedAdded:
        """Put numbers on the do-not-call list

        From now on nobody calls them, and calls that wait or are planned are stopped. All of it is read first: where one entry is wrong, nothing is
        added. An entry for the same number and campaign replaces the one before.
        """
        reading = _Reading(services.config.campaigns, _region(body.region), services.clock())
        read = [reading.entry(form, f"entries.{place}") for place, form in enumerate(body.entries)]
        return told.UnwantedAdded(added=len(read), stopped=services.operating.add_unwanted(read, operator()))

    @api.delete("/do-not-call/<phone>", told.UnwantedRemoved)
    def remove_unwanted(path: UnwantedName, query: RemovalQuery) -> told.UnwantedRemoved:
        """Take a number off the do-not-call list

        For one campaign, or altogether. Calls that it prevented are not made up for.
        """
        campaign = _campaign(query.campaign, services.config.campaigns, "campaign") if query.campaign else None
        removed = services.operating.remove_unwanted(_number(path.phone), campaign, operator())
        return told.UnwantedRemoved(removed=removed or missing("this number is not on the list"))


@dataclass(frozen=True, slots=True)
class _Reading:
    """Entries that are added at one moment."""

    campaigns: Collection[str]
    region: str | None
    now: datetime

    def entry(self, form: UnwantedForm, at: str) -> Unwanted:
        return Unwanted(
            phone=_number(form.phone, self.region, f"{at}.phone"),
            campaign=_campaign(form.campaign, self.campaigns, f"{at}.campaign") if form.campaign else EVERY_CAMPAIGN,
            source=form.source,
            note=form.note,
            added=self.now,
            until=_until(form.until, self.now, f"{at}.until") if form.until else None,
        )


def _number(written: str, region: str | None = None, field: str = "phone") -> str:
    phone = to_e164(written, region)
    if phone is None:
        raise Unusable("this is no phone number: write it with + and the country code, or say its `region`", field=field)
    return phone


def _region(written: str | None) -> str | None:
    if written and written not in SUPPORTED_REGIONS:
        raise Unusable("this is no ISO 3166 country code such as US, DE or BR", field="region")
    return written


def _campaign(name: str, campaigns: Collection[str], field: str) -> str:
    if name not in campaigns:
        raise Unusable(f"there is no campaign of this name; there are {', '.join(campaigns) or 'none'}", field=field)
    return name


def _until(written: str, now: datetime, field: str) -> datetime | None:
    try:
        return read_until(written, now)
    except ValueError as wrong:
        raise Unusable(str(wrong), field=field) from None
