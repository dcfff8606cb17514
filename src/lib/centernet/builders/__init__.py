"""From options to the parts of a run. Below this package nothing sees the options."""
