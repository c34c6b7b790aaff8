"""Tenants in PostgreSQL. See `store`."""
