"""The worker beside other Python consumers of Redis Streams: `make bench-worker`."""
