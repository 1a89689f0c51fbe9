"""Commands that import servers: what runs on the installation's own machines."""
