"""What is read back from disk, attacked: no input may end in a traceback."""
