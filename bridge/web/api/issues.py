"""``/issues``: failures of one kind."""

from bridge.ledger import KnownIssue
from bridge.web.access import operator
from bridge.web.api.models import things as told
from bridge.web.api.models.forms import IssueForm, IssueName, IssueQuery
from bridge.web.api.operations import Operations
from bridge.web.api.places import address
from bridge.web.api.refusing import missing
from bridge.web.api.veil import BARE
from bridge.wiring import Services


def add(api: Operations, services: Services) -> None:
    """What fails, and who looks after it."""
    api = api.about("issues", "Failures of the same source, campaign and cause, counted together.")

    @api.get("/issues", told.IssueList)
    def list_issues(query: IssueQuery) -> told.IssueList:
        """Failures of one kind, counted together

        The issue that was seen last comes first; of all there are, only the 500 seen last are looked at.
        """
        found = [issue for issue in services.issues.all() if query.state in {None, issue.state}]
        return told.IssueList(items=[_told(issue) for issue in found[: query.limit]])

    @api.get("/issues/<fingerprint>", told.Issue)
    def issue(path: IssueName) -> told.Issue:
        """One issue

        Its events are found by `GET /events?issue=<fingerprint>`.
        """
        return _told(services.issues.one(path.fingerprint) or missing("there is no such issue"))

    @api.patch("/issues/<fingerprint>", told.Issue)
    def change_issue(path: IssueName, body: IssueForm) -> told.Issue:
        """Acknowledge, resolve or open an issue

        It changes nothing for the events. A resolved issue opens again by itself when it happens again.
        """
        if not services.operating.change_issue(path.fingerprint, body.state, operator()):
            missing("there is no such issue")
        return _told(services.issues.one(path.fingerprint) or missing("there is no such issue"))


def _told(known: KnownIssue) -> told.Issue:
    return told.Issue(
        fingerprint=known.fingerprint,
        url=address("issues", known.fingerprint),
        events=f"{address('events')}?issue={known.fingerprint}",
        source=known.source,
        campaign=known.campaign,
        cause=BARE.ours(known.cause),
        reason=BARE.ours(known.reason),
        sample=known.sample,
        count=known.count,
        failed=known.failed,
        first=known.first,
        last=known.last,
        state=known.state,
        reopened=known.reopened,
        by=known.by or None,
        changed=known.changed,
    )
