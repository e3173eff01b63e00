"""What is there: installed plugins, the registry of named instances, and lists of both."""
