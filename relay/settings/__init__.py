"""The configuration: one TOML file becomes frozen settings, or every error in it is named at once.

What validates (pydantic) is imported by `load_settings` when it runs, so that importing this package costs little.
"""

from relay.settings.errors import ConfigurationError
from relay.settings.load import find_configuration, load_settings
from relay.settings.values import BackupSettings, Limits, Listener, ListenerTls, LogSettings, Settings

__all__ = [
    "BackupSettings",
    "ConfigurationError",
    "Limits",
    "Listener",
    "ListenerTls",
    "LogSettings",
    "Settings",
    "find_configuration",
    "load_settings",
]
