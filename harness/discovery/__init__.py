"""Finds the installed plugins, reads the registry of named models and datasets, and lists both."""
