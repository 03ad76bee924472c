"""Who is at the operators' doors. Both ask here, so that a wrong token counts the same at either."""

import logging
from dataclasses import dataclass
from typing import cast

from flask import g, request

from bridge.ledger import Throttle
from bridge.operators import Holder, Operators
from bridge.web.doors import door

CLOSED = (
    "the operators' side is closed, because the configuration names no token that opens it: "
    "set server.ops_token (OPS_TOKEN in the example) or server.operators, and start the bridge again"
)

_log = logging.getLogger("callbridge.operators")


@dataclass(frozen=True, slots=True)
class Access:
    """The operators, and how many wrong tokens are borne."""

    operators: Operators
    throttle: Throttle

    def holder_of(self, token: str) -> Holder | None:
        """Whose token the client has shown; ``TooManyTries`` without a look at it after too many wrong ones."""
        address = request.remote_addr or ""
        self.throttle.require_room(address)
        holder = self.operators.identify(token)
        if holder is None:
            self.throttle.count(address)
            _log.warning("wrong token", extra={"address": address, "door": door()})
        return holder


def enter(name: str) -> None:
    """This request is an operator's; from here on :func:`operator` says whose."""
    g.operator = name


def operator() -> str:
    """The name of who is asking, for the history."""
    return cast(str, g.operator)
