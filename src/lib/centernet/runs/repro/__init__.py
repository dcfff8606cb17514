"""Published figures beside those that runs here have produced."""
