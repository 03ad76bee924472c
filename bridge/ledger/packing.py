"""Texts packed for keeping: what nobody but a reader of one event asks for takes a third of the room.

DEFLATE (RFC 1951) with a dictionary of what the ledger's documents have in common, and a window of 4 KiB: a larger one costs ten times as
much to begin. The first byte names the dictionary. Once something is kept under a number, that number's dictionary never changes.
"""

import zlib

_WINDOW, _MEMORY, _LEVEL = -12, 5, 6

# What comes often stands last: what is nearer is cheaper to point at.
_DICTIONARY = (
    b'"companies" "lead.updated" "deal.created" "contact.updated" "deal.stage_changed","stage":{"from":"appointmentscheduled","to":"closedwon"}'
    b'"encoding":"base64","method":"POST","headers":{"accept":"*/*","accept-encoding":"gzip, deflate","connection":"keep-alive","host":"'
    b'","x-forwarded-for":"","x-forwarded-proto":"https","user-agent":"Mozilla/5.0 (compatible; python-requests/2.32)","content-length":"'
    b'","content-type":"application/x-www-form-urlencoded","authorization":"***","x-hubspot-signature-v3":"","x-signature":"sha256='
    b'","webhook-id":"msg_","webhook-timestamp":"","webhook-signature":"v1,"},"url":"https://bridge.example.com/webhooks/'
    b'","body":"{\\"event_id\\": \\"lead-\\", \\"type\\": \\"lead.created\\", \\"occurred_at\\": \\"2026-11-20T08:00:00Z\\", '
    b'\\"entity\\": {\\"type\\": \\"lead\\", \\"id\\": \\"\\"}, \\"contact\\": {\\"name\\": \\"Alex\\", \\"phone\\": \\"+1\\", \\"email\\": '
    b'\\"@gmail.com\\"}, \\"fields\\": {\\"source\\": \\"\\"}}","encoding":"utf-8","received_at":"2026-11-'
    b'"what":"look up","outcome":"answered","note":"","outcome":"unknown","note":"the platform did not answer within 30 s","outcome":"not now",'
    b'"note":"429 Too Many Requests","seconds":0.0,"status":429,"worker":"'
    b'\nattempts [{"at":"2026-11-20T08:00:00.000Z","what":"call","outcome":"made","note":"call job made","seconds":0.0,"status":200,"worker":"'
    b'"}]\ntrace ["stop when the deal is closed: on deal.stage_changed, not lead.created","call new leads: matches"]'
    b'\nrequest {"method":"POST","url":"addPhones","headers":{"Content-Type":"application/json","Idempotence-Key":"'
    b'\nrequest {"method":"POST","url":"crmCalls/addPhone","headers":{"Content-Type":"application/x-www-form-urlencoded","Idempotence-Key":"'
    b'"},"body":"phone=1&name=Alex%20"}'
    b'document {"source":"hubspot","kind":"hubspot","id":"","type":"contact.created","occurred_at":"2026-11-20T08:00:00Z","received_at":"'
    b'2026-11-20T08:00:00.000Z","entity":{"type":"deal","id":"","entity":{"type":"contact","id":"","entity":{"type":"lead","id":""},"refs":["deal:","contact:","lead:'
    b'","phone:+1"],"contact":{"id":"","name":"","phone":"+1","phones":["+1"],"email":"@example.com","time_zone":"Europe/Berlin"},"fields":{"'
)
_NUMBER = b"\x01"
_FRESH = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)


def pack(text: str) -> bytes:
    """``text`` in less room."""
    packer = _FRESH.copy()
    return _NUMBER + packer.compress(text.encode()) + packer.flush()


def unpack(kept: str) -> str:
    """The inverse, of what Redis gave back: bytes that are no UTF-8 come as lone surrogates. ``ValueError`` for what was not packed here."""
    packed = as_bytes(kept)
    if packed[:1] != _NUMBER:
        raise ValueError("that was not packed by this version")
    return zlib.decompressobj(_WINDOW, _DICTIONARY).decompress(packed[1:]).decode()


def as_bytes(kept: str) -> bytes:
    """What Redis gave back as text, as it is kept there."""
    return kept.encode("utf-8", "surrogateescape")
