"""The revisions, oldest first. A revision is never altered once it was released; a further one follows it."""
