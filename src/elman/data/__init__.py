"""Files -> examples -> batches. Knows nothing of cells, models or tasks."""
