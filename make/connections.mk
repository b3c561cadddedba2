CONNECTIONS_EVENTS ?= 100000

.PHONY: test-connections
test-connections: venv ## Sentinel and Cluster of each server, through failovers and moving slots under load (long)
	$(BIN)/python -m tests.connections --events $(CONNECTIONS_EVENTS)

.PHONY: test-failover
test-failover: venv cluster-build-images ## pods on a Sentinel set and on a Cluster whose primary falls silent (long)
	HEADRACE_FAILOVER_EVENTS=$(CONNECTIONS_EVENTS) $(BIN)/pytest -q -s tests/e2e/test_a_pipeline_follows_a_failover.py
