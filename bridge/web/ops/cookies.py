"""The cookies of /ops: how they are called, and how far they go."""

from dataclasses import dataclass
from datetime import timedelta

from flask import request
from werkzeug.wrappers import Response

from bridge.config import Config

SESSION = "callbridge-session"
FORMS = "callbridge-forms"
THEME = "callbridge-theme"
"""Set by the page's own script."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """``https``: the public address is such a one, whatever the last proxy says."""

    https: bool

    @classmethod
    def of(cls, config: Config) -> "Cookies":
        return cls((config.server.public_url or "").startswith("https:"))

    @property
    def secure(self) -> bool:
        return self.https or request.is_secure

    @property
    def path(self) -> str:
        """A browser takes a ``__Host-`` cookie only for the whole host."""
        return "/" if self.secure else "/ops"

    def name(self, word: str) -> str:
        """With ``__Host-``, neither a neighbour under the same domain nor a page without TLS can put one of its own in its place."""
        return f"__Host-{word}" if self.secure else word

    def read(self, word: str) -> str:
        return request.cookies.get(self.name(word), "")

    def put(self, response: Response, word: str, value: str, lives: timedelta) -> None:
        response.set_cookie(
            self.name(word), value, max_age=lives, path=self.path, secure=self.secure, httponly=True, samesite="Lax"
        )  # Lax, not Strict: a link in an alert should find its reader logged in

    def drop(self, response: Response, word: str) -> None:
        response.delete_cookie(self.name(word), path=self.path, secure=self.secure, httponly=True, samesite="Lax")
