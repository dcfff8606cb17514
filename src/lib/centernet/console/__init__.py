"""The terminal and the window: exit codes, shown images."""
