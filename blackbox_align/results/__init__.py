"""Results: what was done, read without a model."""
