"""What is kept to be used again, and which process is at work on it."""
