import pytest

from relay.presets.describing import describe
from relay.presets.preset import all_presets, find_preset


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("en", ("Password", "Switch on first", "Limits", "Sent mail")),
        ("de", ("Passwort", "Zuerst einschalten", "Grenzen", "Gesendetes")),
    ],
)
def test_all_that_is_known_is_said_in_the_offices_language(language: str, labels: tuple[str, ...]) -> None:
    seen = set()
    for preset in all_presets():
        lines = describe(preset, language)
        facts = [preset.password, preset.switch_on, preset.limits]
        expected = [one.by(language) for one in facts if one is not None]
        assert [line.partition(": ")[2] for line in lines][: len(expected)] == expected
        assert len(lines) == len(expected) + (preset.files_sent is not None)
        seen |= {line.partition(": ")[0].strip() for line in lines}
    assert seen == {*labels}


def test_who_signs_in_hears_of_no_password() -> None:
    preset = find_preset("gmx")
    assert preset is not None
    assert describe(preset, "en", password=False) == describe(preset, "en")[1:]
