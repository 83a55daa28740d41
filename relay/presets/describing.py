"""Says of a provider what no key of the configuration says: which password is meant, what to switch on, limits."""

from typing import Final

from relay.presets.preset import Preset, Words

_PASSWORD: Final = Words("Password", "Passwort")
_SWITCH_ON: Final = Words("Switch on first", "Zuerst einschalten")
_LIMITS: Final = Words("Limits", "Grenzen")
_SENT: Final = Words("Sent mail", "Gesendetes")
_FILED: Final = {
    True: Words(
        "put into the Sent folder by the provider itself", "der Anbieter legt es selbst in den Ordner Gesendet"
    ),
    False: Words(
        "not put into the Sent folder by the provider itself",
        "der Anbieter legt es nicht selbst in den Ordner Gesendet",
    ),
}


def describe(preset: Preset, language: str, *, password: bool = True) -> list[str]:
    """Return a line for each thing that is known, in `de` or `en`. `password`: whether the account logs in by one."""
    said = {
        _PASSWORD: preset.password if password else None,
        _SWITCH_ON: preset.switch_on,
        _LIMITS: preset.limits,
        _SENT: None if preset.files_sent is None else _FILED[preset.files_sent],
    }
    return [f"  {what.by(language)}: {words.by(language)}" for what, words in said.items() if words is not None]
