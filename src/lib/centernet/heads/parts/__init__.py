"""What is read off at centres, one kind a file."""
