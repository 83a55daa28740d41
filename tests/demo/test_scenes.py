import email

import pytest

from relay.demo.scenes import SCENES, TIFF, Scene, compose


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
def test_each_scene_is_a_mail_that_says_what_it_shows(scene: Scene) -> None:
    parsed = email.message_from_bytes(compose(scene))
    assert parsed["From"] == scene.headers.get("From")
    tiffs = [part.get_payload(decode=True) for part in parsed.walk() if part.get_content_type() == "image/tiff"]
    assert tiffs == ([TIFF] if scene.tiff is not None else [])
