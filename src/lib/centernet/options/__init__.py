"""What the command line offers, as frozen dataclasses."""
