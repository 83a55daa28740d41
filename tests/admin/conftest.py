"""The admin room is tried by its commands, with and without a running service."""

from tests.cli.conftest import both_ways, config, queued, run

__all__ = ["both_ways", "config", "queued", "run"]
