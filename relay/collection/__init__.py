"""One poll of one mailbox: fetch what is new, write it into the inboxes, and only then let the server delete it."""

from relay.collection.collector import Collector, reason_of
from relay.collection.poll import Tell

__all__ = ["Collector", "Tell", "reason_of"]
