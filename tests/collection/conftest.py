from tests.storage.conftest import engine, postgresql, postgresql_tables

__all__ = ["engine", "postgresql", "postgresql_tables"]
