"""Dataset formats of depth estimation."""
