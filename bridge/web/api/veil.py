"""What the ledger holds, fit for an answer: JSON that every client can read, and no whole phone number in it unless it was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.concealing import Concealer
from bridge.phones import mask
from bridge.web.api.reading import readable

_PHONES = ("phone", "mobile", "tel", "fax", "whatsapp", "msisdn")
"""What names of fields with numbers in them have in common; a number may stand there in a form that nothing else tells."""


@dataclass(frozen=True, slots=True)
class Veil:
    """Over what is told of some events."""

    conceal: Concealer

    @property
    def lifted(self) -> bool:
        return self.conceal.off

    def ours(self, text: str) -> str:
        """A sentence of the bridge's own, a key, a ref."""
        return readable(self.conceal.ours(text))

    def theirs(self, text: str) -> str:
        """What a stranger wrote."""
        return readable(self.conceal.theirs(text))

    def beginning(self, text: str, most: int) -> str:
        """The first ``most`` characters of it."""
        return readable(self.conceal.beginning(text, most))

    def phone(self, number: str) -> str:
        return readable(number) if self.lifted else mask(number)

    def document(self, value: Any, name: str = "") -> Any:
        """A stranger's document, whatever is in it; ``name`` is the field that it stands in."""
        if isinstance(value, Mapping):
            return {self.theirs(str(key)): self.document(each, str(key)) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(each, name) for each in value]
        if isinstance(value, str):
            return self._text(value, name)
        return self._number(value, name) if isinstance(value, int | float) and not isinstance(value, bool) else value

    def _text(self, text: str, name: str) -> str:
        digits = sum(char.isdigit() for char in text)
        hides = not self.lifted and digits >= 7 and any(word in name.lower() for word in _PHONES)
        return mask(text) if hides else self.theirs(text)

    def _number(self, number: float, name: str) -> int | float | str:
        """A number that would be hidden as text becomes text."""
        shown = self._text(str(number), name)
        return number if shown == str(number) else shown


BARE = Veil(Concealer())
"""Over what is about nobody in particular."""


def veil_of_nobody(*, lifted: bool = False) -> Veil:
    """The same, or lifted."""
    return Veil(Concealer(off=lifted))
