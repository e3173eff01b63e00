"""What the formats of several tasks' datasets share."""
