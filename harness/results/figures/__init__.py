"""Results as pictures (matplotlib, the extra `plot`)."""
