"""Reading and writing with a trained network: symbol by symbol in constant memory, and by beam search over rows."""
