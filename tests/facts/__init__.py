"""Facts, made harmless and saved."""
