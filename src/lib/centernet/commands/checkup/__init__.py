"""The parts of a checkup of the machine, each a function that yields findings."""
