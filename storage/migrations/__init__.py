"""Schema changes: forward only, in order, each safe while the version before it still serves."""
