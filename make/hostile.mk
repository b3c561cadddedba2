HOSTILE_SEEDS ?= 500
HOSTILE_JOBS ?= 12

.PHONY: test-hostile
test-hostile: venv cluster-build ## 500 seeds of what people and clusters do to the resources of the operator (an hour)
	$(BIN)/python -m tests.hostile --seeds $(HOSTILE_SEEDS) --jobs $(HOSTILE_JOBS) --shrink
