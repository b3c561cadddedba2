.PHONY: bench-scaling
bench-scaling: venv cluster-build ## bursts on a real control plane; scalers side by side, simulated (8 min)
	$(BIN)/python -m bench.operator --pipelines 0 --bursts 100
	$(BIN)/python -m bench.scaling

.PHONY: plots-scaling
plots-scaling: venv ## draw docs/scaling/ anew
	$(BIN)/python -m pip install -q -c constraints.txt --group plots
	$(BIN)/python -m bench.scaling --plots docs/scaling
