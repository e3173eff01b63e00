"""Models for action recognition."""
