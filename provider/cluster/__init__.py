"""Wires: the only code that talks to an API server, the management cluster's or a tenant's. Nothing here knows a room."""
