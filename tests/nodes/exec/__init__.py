"""The exec reader against an endpoint that speaks the exec protocol and runs the real script."""
