"""Models of human pose."""
