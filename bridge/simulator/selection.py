"""The body ``{"phones": [...], "ids": [...]}`` of cancels and reports, and the call jobs it names."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bridge.simulator.jobs import Job
from bridge.simulator.rejections import BAD_REQUEST, Rejected


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs by phone (all jobs of that phone) and by id."""

    phones: frozenset[str]
    ids: frozenset[str]

    def of(self, jobs: Iterable[Job]) -> list[Job]:
        """The named ones among a campaign's jobs. One that is not among them rejects the whole request, and is not named."""
        found = [job for job in jobs if job.id in self.ids or job.phone in self.phones]
        if self.ids - {job.id for job in found}:
            raise Rejected("id.not.found", "A call job id is not of this campaign")
        if self.phones - {job.phone for job in found}:
            raise Rejected("phone.not.found", "A phone is not of this campaign")
        return found


def read_selection(document: Any) -> Selection:
    """Ids and phones come as strings in the OpenAPI document and as numbers on the help pages; both are read."""
    if not isinstance(document, dict):
        raise Rejected(BAD_REQUEST, "The body must be a JSON object with phones, ids or both")
    return Selection(phones=_texts(document.get("phones")), ids=_texts(document.get("ids")))


def _texts(values: Any) -> frozenset[str]:
    if not isinstance(values, list | None) or not all(isinstance(value, str | int) for value in values or ()):
        raise Rejected(BAD_REQUEST, "phones and ids must be arrays of strings")
    return frozenset(map(str, values or ()))
