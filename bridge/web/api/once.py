"""A POST that is sent again under its ``Idempotency-Key`` is not done again: it is answered as it was."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import Response, request
from werkzeug.exceptions import HTTPException

from bridge.errors import Unusable
from bridge.ledger import Answered, Answers, Claim
from bridge.web.access import operator
from bridge.web.answers import problem
from bridge.web.api.refusing import unusable_problem

REPLAYED = "Idempotent-Replayed"
"""The header of an answer that was given before."""

_REFUSALS = {
    Claim.UNDER_WAY: (409, "under_way", "the same request is under way: ask again in a moment for its answer"),
    Claim.UNANSWERED: (
        409,
        "outcome_unknown",
        "a request under this key was begun and never answered, so it may have been done: look, and if it was not, send it under a new key",
    ),
    Claim.ANOTHER: (422, "key_used", "this key was used for another request within the last 24 hours: use a new one for each thing to be done"),
}


@dataclass(frozen=True, slots=True)
class Once:
    """Keys are an operator's own: those of two do not meet. Raises ``LedgerUnavailable``: what cannot be remembered is not begun."""

    answers: Answers
    clock: Callable[[], datetime]

    def do(self, key: str | None, act: Callable[[], Response]) -> Response:
        """``act``, or its answer of before. What it refuses counts as done: a request that was wrong stays wrong."""
        if key is None:
            return act()
        found = self.answers.claim(operator(), key, _fingerprint(), self.clock())
        if isinstance(found, Answered):
            return _response(found)
        if found is not Claim.OURS:
            status, code, message = _REFUSALS[found]
            return problem(status, code, message, field="Idempotency-Key" if found is Claim.ANOTHER else None)
        response = _done_or_refused(act)
        self.answers.keep(operator(), key, _fingerprint(), Answered(response.status_code, response.get_data(as_text=True)))
        return response


def _done_or_refused(act: Callable[[], Response]) -> Response:
    """Whatever else goes wrong leaves the claim without an answer: nobody knows what was done."""
    try:
        return act()
    except Unusable as unusable:
        return unusable_problem(unusable)
    except HTTPException as refused:
        return cast(Response, refused.get_response())


def _response(answered: Answered) -> Response:
    return Response(answered.body, answered.status, {REPLAYED: "true"}, content_type="application/json")


def _fingerprint() -> str:
    """What makes two requests the same."""
    parts = (request.method, request.full_path, request.get_data(as_text=True))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()
