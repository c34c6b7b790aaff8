"""Words of our users: the API kinds, their names and the verdicts a pass can end with. Pure; imported by every room."""
