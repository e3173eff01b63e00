"""A batch: how it is read, coded and prepared, and how what was predicted of it is scored."""
