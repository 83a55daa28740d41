import re
from pathlib import Path

from relay.rules import address
from relay.rules.refusal_parts import ADDRESS_FAULTS, Part


def test_every_part_has_its_words() -> None:
    assert all(part.value.english and part.value.german for part in Part)


def test_each_fault_of_an_address_has_its_german() -> None:
    said = re.findall(r'ValueError\("([^"]+)"\)', Path(address.__file__).read_text(encoding="utf-8"))
    assert said
    assert set(said) <= set(ADDRESS_FAULTS)
