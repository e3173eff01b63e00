"""Dataset formats, and helpers for them, that several tasks use."""
