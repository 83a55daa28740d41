"""A certificate of the office's own: `authority` makes and signs, `store` keeps the files.

cryptography is imported only where something is made or read.
"""

from relay.model.errors import RelayError


class CertificateError(RelayError):
    """A certificate can't be made or read; the text says which file and why."""
