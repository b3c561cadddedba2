"""What events cost in Redis: `make bench-memory`."""
