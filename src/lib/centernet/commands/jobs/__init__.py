"""What the commands do, apart from what they are: this needs PyTorch, --help does not."""
