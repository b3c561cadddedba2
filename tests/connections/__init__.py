"""Each topology of each server through each fault, under load: `make test-connections`."""
