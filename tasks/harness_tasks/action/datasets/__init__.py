"""Dataset formats of action recognition."""
