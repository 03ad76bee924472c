"""What RQ calls: each task one line."""

from workers.runner import current


def deliver_due() -> int:
    """Deliver what is due; how many events were in hand."""
    return current().deliver_due()
