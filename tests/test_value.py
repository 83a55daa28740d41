from typing import ClassVar

import pytest

from relay.value import REQUIRED, Value


class Thing(Value):
    kind: ClassVar[str] = "thing"
    name: str
    tags: tuple[str, ...] = ()

    @property
    def shouted(self) -> str:
        return self.name.upper()


class Letter(Thing):
    text: bytes = b""


def test_its_fields_are_what_it_annotates_with_those_of_its_bases() -> None:
    assert Thing.defaults == {"name": REQUIRED, "tags": ()}
    assert Letter.types == {"name": str, "tags": tuple[str, ...], "text": bytes}
    letter = Letter(name="a", text=b"hi")
    assert (letter.name, letter.tags, letter.text, letter.shouted) == ("a", (), b"hi", "A")


@pytest.mark.parametrize("fields", [{}, {"tags": ()}, {"name": "a", "size": 1}, {"name": "a", "kind": "x"}])
def test_it_is_made_with_all_of_its_fields_and_no_others(fields: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="Thing has the fields name, tags"):
        Thing(**fields)  # type: ignore[arg-type]


def test_it_is_never_changed() -> None:
    with pytest.raises(AttributeError, match=r"Thing\.name: a value is never changed"):
        Thing(name="a").name = "b"  # type: ignore[misc]
    thing = Thing(name="a")
    with pytest.raises(AttributeError, match=r"Thing\.name: a value is never changed"):
        del thing.name
    assert thing == Thing(name="a")


def test_those_of_one_kind_with_the_same_fields_are_equal() -> None:
    assert Thing(name="a") == Thing(name="a", tags=())
    assert Thing(name="a") != Thing(name="b")
    assert Thing(name="a") != Letter(name="a")


def test_what_is_shown_of_it_holds_no_mail() -> None:
    assert repr(Letter(name="a", text=b"secret")) == "Letter({'name': 'a', 'tags': (), 'text': '6 octets'})"
