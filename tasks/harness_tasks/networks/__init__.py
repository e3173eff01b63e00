"""Networks that models of several tasks use."""
