"""Sources whose CRM's access tokens expire: what is configured, and how a token is renewed. Pure; the workers keep the tokens.

After RFC 6749, sections 4.4, 5 and 6. Some CRMs give a new refresh token with every renewal and forget the old one: whoever renews must
keep what comes back before using it, and only one may renew at a time.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import urlencode

from pydantic import SecretStr, model_validator

from bridge.errors import LookupFailed
from bridge.model import HttpRequest, HttpResponse
from bridge.sources.base import Source, SourceSettings
from bridge.sources.bodies import FORM
from bridge.sources.values import answer, retry_after, text

ACCESS_TOKEN = "{access_token}"  # noqa: S105 -- what stands in a request where the worker puts the token of the hour
_AN_HOUR = 3600.0


class OAuthSettings(SourceSettings):
    """``client_id``, ``client_secret`` and ``refresh_token`` of the integration, all three; or ``api_token`` where the CRM has long-lived ones.

    A CRM at which the integration signs in by something else names that in ``needs``.
    """

    needs: ClassVar[tuple[str, ...]] = ("client_id", "client_secret", "refresh_token")

    client_id: str | None = None
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = [name for name in self.needs if getattr(self, name)]
        if given and len(given) < len(self.needs):
            raise ValueError(f"{', '.join(self.needs)} go together, and there is only {' and '.join(given)}")
        return self

    @property
    def can_renew(self) -> bool:
        """Whether all is there that a token is renewed by."""
        return all(getattr(self, name) for name in self.needs)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a renewal brought; ``expires_in`` is in seconds."""

    access: str
    refresh: str
    expires_in: float


class OAuthSource(Source):
    """An adapter that writes :data:`ACCESS_TOKEN` (which ``api_token`` is) where its requests carry the token."""

    settings: OAuthSettings
    renewal_advice: ClassVar[str] = "authorise the integration again and configure its refresh_token"
    """What to do where the CRM will never renew the token again."""

    @property
    def renews(self) -> bool:
        """Whether its tokens expire and can be renewed."""
        return self.settings.can_renew and self.settings.api_token is None

    @property
    def api_token(self) -> str:
        return ACCESS_TOKEN if self.renews else super().api_token

    @property
    def client(self) -> tuple[str, str]:
        """``client_id`` and ``client_secret``."""
        secret = self.settings.client_secret
        return self.settings.client_id or "", secret.get_secret_value() if secret else ""

    def grant(self, refresh_token: str) -> dict[str, str]:
        """What a renewal tells, by the names of the RFC."""
        client_id, client_secret = self.client
        return {"grant_type": "refresh_token", "client_id": client_id, "client_secret": client_secret, "refresh_token": refresh_token}

    @abstractmethod
    def renewal(self, refresh_token: str) -> HttpRequest:
        """The request that trades a refresh token for an access token."""

    def renewed(self, response: HttpResponse, refresh_token: str) -> Tokens:
        """What the CRM answered. Raises ``LookupFailed``, parked when it will never take this refresh token again."""
        if response.status >= 500 or response.status == 429:
            raise LookupFailed(f"{self.title} answered {response.status} when a token was to be renewed", retry_after=retry_after(response))
        told = answer(response)
        access = text(told.get("access_token"))
        if response.status >= 300 or access is None:
            why = text(told.get("error")) or text(told.get("hint")) or str(response.status)
            raise LookupFailed(f"{self.title} does not renew the token ({why}): {self.renewal_advice}", parked=True)
        lasts = told.get("expires_in")
        return Tokens(access, text(told.get("refresh_token")) or refresh_token, float(lasts) if isinstance(lasts, int | float) else _AN_HOUR)

    def expired(self, response: HttpResponse) -> bool:
        """Whether this answer means that the access token is not good any more."""
        return response.status == 401


def token_request(url: str, told: Mapping[str, str]) -> HttpRequest:
    """A renewal as the RFC has it."""
    return HttpRequest("POST", url, {"Content-Type": FORM, "Accept": "application/json"}, urlencode(told))
