"""Adapters to the provider."""
