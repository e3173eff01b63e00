"""Alembic's folder: `env.py` is what Alembic runs, `versions` holds one script a revision."""
