"""The matrix of small random models: what they are, how they are exported, and their reference values."""
