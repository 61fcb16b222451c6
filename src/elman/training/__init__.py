"""Learning: back-propagation through time, whole or truncated, under a budget, with state that survives a crash."""
