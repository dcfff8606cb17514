"""The formats: how a Job becomes a file."""
