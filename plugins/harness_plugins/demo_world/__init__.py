"""The demo world: a seeded renderer of street scenes that knows the truth about what it draws."""
