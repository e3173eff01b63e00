"""Planning: turns a user's request (the texts of a command line) into a plan of experiments with keys."""
