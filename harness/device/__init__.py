"""The device and its machine: what there is, what is chosen of it, and what runs on it."""
