"""What runs beneath everything: errors, compiled code, devices."""
