"""Worker processes: they read, code and prepare batches ahead of the device, and score what it predicted."""
