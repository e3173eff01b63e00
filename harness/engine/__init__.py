"""Carries experiments out: worker processes code and prepare, the device predicts, rows go to the store in chunks."""
