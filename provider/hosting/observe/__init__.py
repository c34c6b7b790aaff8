"""Reads what exists into frozen views. One module a kind; the only place of the room that lists and gets."""
