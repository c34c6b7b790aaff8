"""The tenant's public-key infrastructure: `authorities` are made once and kept, `leaves` follow them and are renewed."""
