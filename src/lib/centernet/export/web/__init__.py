"""One page with the network, the runtime and what draws, to be opened in a browser."""
