"""Imports all of the relay, and what it imports only as it begins to run."""

import importlib
import importlib.util
import pkgutil

import relay

for module in pkgutil.walk_packages(relay.__path__, "relay."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in ("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite", "uvloop"):
    if importlib.util.find_spec(name):
        importlib.import_module(name)
