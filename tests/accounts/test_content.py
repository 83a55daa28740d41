import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.accounts.content import Content, pack, unpack
from relay.model.errors import CredentialError


@given(st.text(), st.none() | st.text())
def test_what_is_packed_is_unpacked(access: str, refresh: str | None) -> None:
    content = Content(account="sales", binding="b", access=access, refresh=refresh)
    assert unpack(pack(content)) == content


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"access": "a"}', b'{"access": "a", "refresh": null}', b"\xff"]
)
def test_what_another_release_has_written_is_said(content: bytes) -> None:
    with pytest.raises(CredentialError, match="another release") as caught:
        unpack(content)
    assert caught.value.permanent


def test_nothing_shows_it() -> None:
    assert "sesame" not in repr(Content(account="sales", binding="b", access="sesame", refresh="sesame"))
