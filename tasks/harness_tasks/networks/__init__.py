"""Networks that models of several tasks share."""
