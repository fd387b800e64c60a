"""The live proof's pure part: captures made by hand and by the kernel, plans, and what they say of a path."""
