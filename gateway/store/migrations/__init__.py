"""迁移 Alembic's environment for every change of the tables."""
