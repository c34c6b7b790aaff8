"""Drivers, a folder each: what a store can be asked to do for a tenant. They do not know each other, and share `errors` only.

Called by passes, never by builders.
"""
