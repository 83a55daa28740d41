"""Makes text fit to be sent to a stranger who helps: addresses become hashes, and what is known to be private goes.

Within one report the same address has the same hash, so that one can still follow it; the key is the report's own, so
that nobody can try addresses until one fits.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from relay.model.credential import keyed_hash

HIDDEN: Final = "***"
_ADDRESS: Final = re.compile(
    r'(?:"[^"\n]{1,200}"|[^\s<>()\[\]"\',;:=@\\/]{1,200})@[^\s<>()\[\]"\',;:=@\\/]{0,250}[^\s<>()\[\]"\',;:=@\\/.]'
)
_URL_PASSWORD: Final = re.compile(r"(://[^/?#\s:@]{0,200}:)[^/?#\s@]{1,200}(?=@)")
_LEAST: Final = 4
"""Characters of a text that is looked for everywhere: a shorter one stands in many words by chance."""
_DIGITS: Final = 10


class Redactor:
    """Takes out of texts, and of what JSON holds, what is nobody else's business."""

    def __init__(self, key: bytes, private: Iterable[str] = ()) -> None:
        """`private`: texts that go wherever they stand."""
        self._key = key
        known = sorted({text for text in private if len(text) >= _LEAST}, key=len, reverse=True)
        self._private = re.compile("|".join(map(re.escape, known)), re.IGNORECASE) if known else None

    def text(self, text: str) -> str:
        """Clean a text."""
        if self._private is not None:
            text = self._private.sub(HIDDEN, text)
        return _ADDRESS.sub(self._hash, _URL_PASSWORD.sub(rf"\1{HIDDEN}", text))

    def clean(self, value: Any) -> Any:  # noqa: ANN401 - what JSON holds
        """Clean all texts in what JSON holds, names of fields included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.clean(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(one) for one in value]
        return value

    def _hash(self, found: re.Match[str]) -> str:
        return f"address-{keyed_hash(self._key, found[0].lower())[:_DIGITS]}"
