"""The ledger: the durable record of what was accepted, decided, tried and done."""

from bridge.ledger.do_not_call import DoNotCallList as DoNotCallList
from bridge.ledger.do_not_call import Unwanted as Unwanted
from bridge.ledger.records import Beginning as Beginning
from bridge.ledger.records import Blocked as Blocked
from bridge.ledger.records import CallGate as CallGate
from bridge.ledger.records import Go as Go
from bridge.ledger.records import Lost as Lost
from bridge.ledger.records import Mark as Mark
from bridge.ledger.records import NewEntry as NewEntry
from bridge.ledger.records import Record as Record
from bridge.ledger.records import Retention as Retention
from bridge.ledger.records import call_gate as call_gate
from bridge.ledger.sessions import Session as Session
from bridge.ledger.sessions import Sessions as Sessions
from bridge.ledger.store import Ledger as Ledger
from bridge.ledger.store import connect as connect
from bridge.ledger.throttling import Throttle as Throttle
from bridge.ledger.tokens import TokenStore as TokenStore
