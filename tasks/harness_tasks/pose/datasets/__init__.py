"""Formats of data sets with human pose."""
