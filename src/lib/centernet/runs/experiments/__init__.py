"""The scripts of the published results: read, fitted to the machine, run."""
