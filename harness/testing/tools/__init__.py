"""What the promises of all kinds are tried with."""
