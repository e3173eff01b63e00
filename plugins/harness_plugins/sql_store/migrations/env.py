"""What Alembic runs: the revisions, on the connection and in the transaction that `upgrade.py` hands over."""

from alembic import context

from harness_plugins.sql_store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
