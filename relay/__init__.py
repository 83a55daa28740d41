"""The mail relay of a small office: SMTP in, a durable queue, the right provider account out."""

__version__ = "0.10.0"
