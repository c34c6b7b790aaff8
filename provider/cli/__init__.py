"""The command line for people, `kamaji` and `kubectl kamaji`: what runs, why something does not, and what a change would do.

It speaks to the management cluster with the rights of whoever calls it, and needs no provider to be reachable. Every command
is a module with pure functions from objects to rows or sentences; `app` reads arguments, `session` reads objects, `output`
writes.
"""
