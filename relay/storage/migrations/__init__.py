"""One module for each change of the tables: `v0002` leads from schema 1 to schema 2.

A migration says what changes in alembic's terms and imports nothing of ours: the tables of today are not those of then.
"""
