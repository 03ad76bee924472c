"""The one form of everything that is refused."""

from bridge.web.api.models.base import Known, Told, example


class Refusal(Told):
    """Why, for machines and for people."""

    code: str = example("invalid", "A word for machines; it does not change.")
    message: str = example("must be a whole number", "A sentence for people: what is wrong, and what would be right.")
    field: Known[str] = example("limit", "The parameter, or the part of the body, that is wrong.", default=None)


class Problem(Told):
    """What everything that is refused looks like."""

    error: Refusal
