"""A hostile user, by machine: seeded acts against a real control plane, and oracles over them."""
