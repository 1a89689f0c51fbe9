"""Pure rules of tenants."""
