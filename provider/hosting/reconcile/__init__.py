"""Passes: look at the world, plan, apply, report. One module a kind of object; nothing here builds a manifest."""
