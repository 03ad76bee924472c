"""How far a request has come: told from its bytes, so that nobody waits for the rest of it but a list. Pure.

This decides when a thread is worth its while, and nothing else. What the bytes mean is gunicorn's parser to say: where two
readings are possible, the request is handed to it at once, and it refuses.
"""

import re
from enum import StrEnum

LONGEST_HEAD = 64 * 1024
"""Bytes of request line and headers together; eight times what CRMs and proxies get by with."""

_PADDING = 8
"""So many times its own size a body in chunks may take on the way; a chunk of one byte takes six."""

_LONGEST_SIZE_LINE = 1024
_LENGTHS = re.compile(rb"\r\n(content-length|transfer-encoding):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_WAITS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?", re.DOTALL)


class Progress(StrEnum):
    """``DOUBTFUL``: not whole, and more bytes would not change the answer. ``TOO_LONG``: there is no use in a parser either."""

    COMING = "coming"
    WHOLE = "whole"
    DOUBTFUL = "doubtful"
    TOO_LONG = "too long"


class Frame:
    """One request. ``largest``: bytes of a body; of a larger one, the beginning is enough."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._looked = 0
        self._needed: int | None = None
        self._chunk = 0
        self._decoded = 0
        self.in_head = True
        self.waits = False
        """Whether the sender waits to be told that it may go on."""

    def look(self, held: bytearray) -> Progress:
        """``held`` is everything that has come of it, and may be more; each time it is longer than before, or the same."""
        if self.in_head:
            end = held.find(b"\r\n\r\n", max(0, self._looked - 3))
            self._looked = len(held)
            if not 0 <= end <= LONGEST_HEAD:
                return Progress.COMING if len(held) <= LONGEST_HEAD else Progress.TOO_LONG
            self.in_head = False
            self._measure(bytes(held[: end + 2]), end + 4)
        if self._needed is not None:
            return Progress.WHOLE if len(held) >= self._needed else Progress.COMING
        return self._chunks(held) if self._chunk else Progress.DOUBTFUL

    def _measure(self, head: bytes, end: int) -> None:
        """Where it will end; where its headers do not tell, nothing is noted."""
        self.waits = bool(_WAITS.search(head))
        match [(name.lower(), told.lower()) for name, told in _LENGTHS.findall(head)]:
            case []:
                self._needed = end
            case [(b"content-length", told)] if _DIGITS.fullmatch(told) and int(told) <= self._largest:
                self._needed = end + int(told)
            case [(b"transfer-encoding", b"chunked")]:
                self._chunk = end

    def _chunks(self, held: bytearray) -> Progress:
        while (progress := self._next_chunk(held)) is None:
            pass
        if self._decoded > self._largest:
            return Progress.DOUBTFUL
        too_long = len(held) > LONGEST_HEAD + _PADDING * self._largest
        return Progress.TOO_LONG if too_long and progress is Progress.COMING else progress

    def _next_chunk(self, held: bytearray) -> Progress | None:
        """None: it was there, and another one follows; ``_chunk`` is where that begins."""
        size_ends = held.find(b"\r\n", self._chunk, self._chunk + _LONGEST_SIZE_LINE)
        if size_ends < 0:
            return Progress.COMING if len(held) < self._chunk + _LONGEST_SIZE_LINE else Progress.DOUBTFUL
        told = _CHUNK.fullmatch(bytes(held[self._chunk : size_ends]))
        if told is None:
            return Progress.DOUBTFUL
        size, begins = int(told[1], 16), size_ends + 2
        if size == 0:
            return Progress.WHOLE if held.find(b"\r\n\r\n", size_ends) >= 0 else Progress.COMING
        if len(held) < begins + size + 2:
            return Progress.DOUBTFUL if self._decoded + len(held) - begins > self._largest + 2 else Progress.COMING
        self._decoded += size
        self._chunk = begins + size + 2
        return None if held[self._chunk - 2 : self._chunk] == b"\r\n" else Progress.DOUBTFUL
