"""One poll of one mailbox: fetch what is new, write it into the inboxes, and only then let the server delete it."""

from relay.collection.collector import Collector, PollResult, Tell, reason_of

__all__ = ["Collector", "PollResult", "Tell", "reason_of"]
