"""The promises of stores."""
