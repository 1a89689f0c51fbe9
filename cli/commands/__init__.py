"""The commands that talk to the public API, one module a noun."""
