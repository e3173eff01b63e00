"""Results as text: for people, for programs, for papers."""
