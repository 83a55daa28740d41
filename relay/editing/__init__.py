"""The configuration's file, edited: pure functions from text to text, and the one place where the file is replaced.

`tables` adds, changes and removes tables; every other line stays, and what comes out is proved to say what was asked
for. `file` replaces the file by it, `secret_files` keeps passwords in files of their own. Commands call these, and
whatever else changes the configuration can.
"""

from relay.model.errors import RelayError


class EditError(RelayError):
    """The file can't be edited so; nothing was changed."""
