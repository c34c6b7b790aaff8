"""Pages that are made and not written: what the models and the markers at the tests say, as Markdown."""
