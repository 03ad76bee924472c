"""Delivering a body to a running bridge, signed as the source's own CRM would sign it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

import requests

from bridge.cli.bodies import content_type
from bridge.errors import StartupError
from bridge.sources.base import Signed, Source

PATIENCE = 30
"""Seconds an answer is waited for: more than any CRM waits, so that a slow bridge is seen and not guessed at."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The bridge's answer to one delivery."""

    status: int
    body: str

    @property
    def good(self) -> bool:
        return self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """``url`` is where the bridge is, ``public_url`` how senders see it: some of them sign that."""

    source: Source
    url: str
    public_url: str
    clock: Callable[[], datetime]
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""

    def post(self, body: bytes) -> Answered:
        """Sign and deliver. ``StartupError`` when nobody answers."""
        path = f"/webhooks/{self.source.name}" + (f"?{self.query}" if self.query else "")
        signed = self._signed(body, self.public_url + path)
        headers = {"content-type": content_type(body), **{name.lower(): value for name, value in signed.headers.items()}, **self.headers}
        try:
            answer = requests.post(self.url + signed.url.removeprefix(self.public_url), data=signed.body, headers=headers, timeout=PATIENCE)
        except requests.RequestException as error:
            raise StartupError(f"the bridge does not answer at {self.url} ({type(error).__name__}): is it running?") from error
        return Answered(answer.status_code, answer.text)

    def _signed(self, body: bytes, url: str) -> Signed:
        if self.source.settings.insecure and not self.source.secrets:
            return Signed(body, url)
        return self.source.sign(body, url, self.clock())
