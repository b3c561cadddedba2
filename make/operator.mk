.PHONY: bench-operator
bench-operator: venv cluster-build ## bursts and fleets of 1,000 pipelines on a real control plane
	$(BIN)/python -m bench.operator

.PHONY: bench-passes
bench-passes: venv ## CPU of one reconcile pass, small and large, without a network
	$(BIN)/python -m bench.operator.passes
