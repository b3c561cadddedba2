.PHONY: bench-worker
bench-worker: venv ## the worker beside a raw redis-py loop, as ratios
	$(BIN)/python -m bench.worker
