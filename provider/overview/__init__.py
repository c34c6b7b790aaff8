"""What is said to people of a fleet, a tenant and its stores: rows, sentences, health. Pure; `cli` and `statuspage` show it,
so that both say the same."""
