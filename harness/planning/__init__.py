"""What was asked for, and what is to be done: from the texts of a request to a plan of experiments with keys."""
