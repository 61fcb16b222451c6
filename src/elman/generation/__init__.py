"""Sampling from a trained network, symbol by symbol, in constant memory."""
