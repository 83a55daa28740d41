"""Makes text fit to be sent to a stranger who helps: addresses become hashes, and what is known to be private goes.

Within one report the same address has the same hash, so that one can still follow it; the key is the report's own, so
that nobody can try addresses until one fits.
"""

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

from relay.model.credential import keyed_hash
from relay.rules.url_secrets import blank_urls

HIDDEN: Final = "***"
_LOCAL: Final = r"""[^\s<>()\[\]",;:@\\]"""
"""What a local part has without quotes: no special of RFC 5322 but the dot. So the whole of SRS and VERP is one."""
_CODED_LOCAL: Final = r"""[^\s<>()\[\]",;:@\\'/?&=#%]|%(?!40)"""
"""What it has within a URL, where the rest would be written by `%`."""
_HOST: Final = r"""[^\s<>()\[\]"',;:=@\\/&?#.%]++"""
_DOMAIN: Final = rf"(?:\[[^\]\s]{{1,100}}\]|(?>(?:\.*+(?:{_HOST}|%(?!40)))+))"
"""A name, without a dot behind it, or an address literal."""
_ADDRESS: Final = re.compile(rf"""(?:"(?>(?:[^"\\\n]|\\.){{1,200}})"|(?<!{_LOCAL}){_LOCAL}++)(?>(?:@{_DOMAIN})+)""")
_CODED: Final = re.compile(rf"""(?<![^\s<>()\[\]",;:@\\'/?&=#])(?>(?:{_CODED_LOCAL})*)(?>(?:%40{_DOMAIN})+)""")
"""Both begin where a word does, and give nothing back that they have taken: long words take no time."""
_BEFORE: Final = "'=/"
"""What a local part may have, but has not where it begins."""
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
        return _CODED.sub(self._hash, _ADDRESS.sub(self._hash, blank_urls(text, HIDDEN)))

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
        address = found[0].lstrip(_BEFORE)
        before = found[0][: len(found[0]) - len(address)]
        return f"{before}address-{keyed_hash(self._key, unquote(address).lower())[:_DIGITS]}"
