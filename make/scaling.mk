.PHONY: bench-scaling
bench-scaling: venv ## Headrace's scaler beside models of KEDA and Numaflow, simulated
	nice $(BIN)/python -m bench.scaling --plots docs/scaling
