CONNECTIONS_EVENTS ?= 100000

.PHONY: test-connections
test-connections: venv ## Sentinel and Cluster of each server, through failovers and moving slots under load (long)
	$(BIN)/python -m tests.connections --events $(CONNECTIONS_EVENTS)
