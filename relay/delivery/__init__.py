"""Delivery: what is due leaves through its account, and every outcome is written down."""

from relay.delivery.dispatcher import Delivery

__all__ = ["Delivery"]
