"""Status as pure functions of what a pass saw: run last in every pass, also after a failure. One module a kind."""
