"""What tasks are made of: losses, targets, peaks, groupings."""
