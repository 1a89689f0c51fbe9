"""Queries of deployments and their states."""
