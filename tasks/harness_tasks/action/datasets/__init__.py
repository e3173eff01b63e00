"""The dataset formats of action recognition."""
