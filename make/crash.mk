CRASH_RUNS ?= 200
CRASH_EVENTS ?= 5000

.PHONY: test-crash
test-crash: venv ## broken workers that must be caught, then 200 runs through random faults (long; docs/crash-proof.md)
	$(BIN)/python -m tests.crash --mutants
	$(BIN)/python -m tests.crash --runs $(CRASH_RUNS) --events $(CRASH_EVENTS)
