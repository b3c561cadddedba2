"""A million dead letters: `make bench-dead-letters`."""
