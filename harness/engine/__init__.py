"""Runs experiments: workers code and prepare samples, the device predicts, and the store gets rows in chunks."""
