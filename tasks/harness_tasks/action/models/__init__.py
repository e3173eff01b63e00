"""Models of actions."""
