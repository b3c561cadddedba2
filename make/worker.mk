PEERS := .build/bench/peers/.installed .build/bench/arq/.installed

# The peers run in environments of their own: they need other versions than Headrace does.
.build/bench/%/.installed: bench/requirements/%.txt
	$(PYTHON) -m venv .build/bench/$*
	.build/bench/$*/bin/python -m pip install -q -r $<
	@touch $@

.PHONY: bench-worker
bench-worker: venv $(PEERS) ## the worker beside raw redis-py, FastStream, taskiq and arq (6 min)
	$(BIN)/python -m bench.worker

.PHONY: guard-worker
guard-worker: venv ## single and batch handlers beside raw redis-py, in seconds
	$(BIN)/python -m bench.worker --guard

test: guard-worker

.PHONY: bench-worker-long
bench-worker-long: venv ## 10 million events, and several processes (8 min)
	$(BIN)/python -m bench.worker --long

.PHONY: test-servers
test-servers: venv ## workers, producers and commands on every kind of server (test-integration: each on one)
	HEADRACE_EVERY_SERVER=1 $(BIN)/pytest -q -n 4 --dist loadfile tests/integration/worker tests/integration/producer tests/integration/custom

.PHONY: bench-memory
bench-memory: venv ## what an event costs in Redis and Valkey, by the size of its payload (30 s)
	$(BIN)/python -m bench.memory

.PHONY: bench-dead-letters
bench-dead-letters: venv ## a million dead letters listed, grouped, sent back, in flat memory (10 min)
	$(BIN)/python -m bench.dead_letters

.PHONY: bench-trim
bench-trim: venv ## how long trims keep Redis from others: 10 million entries, a deep pending list (2 min, 2 GiB)
	$(BIN)/python -m bench.trim
