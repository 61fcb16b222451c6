"""Look inside a network: the worked example, gradients over time, and what to do about them."""
