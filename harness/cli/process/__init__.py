"""What a command does with its process: signals, standard streams, and the search for garbage."""
