"""The worked example "hello": the smallest character network, to the digit."""
