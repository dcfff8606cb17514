"""The runtimes: how a file of a format is run here."""
