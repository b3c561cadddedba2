.PHONY: bench-operator
bench-operator: venv cluster-build ## bursts and fleets of 1,000 pipelines on a real control plane
	$(BIN)/python -m bench.operator
