"""The runtime: read -> dispatch -> settle -> commit, with lease, retries, reclaim and shutdown."""
