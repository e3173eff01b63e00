"""Tables of results as text, for people, programs and papers."""
