"""What each command does: reads by `session`, decides in its own module, writes by `output`. Called by `asking`.

A module for what belongs together, so that a command imports no more than it needs. Every function returns the exit status.
"""
