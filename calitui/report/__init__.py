"""A trace as text, Markdown and JSON: the same statements that the screens show."""
