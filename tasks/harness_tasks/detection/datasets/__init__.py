"""Dataset formats of detection."""
