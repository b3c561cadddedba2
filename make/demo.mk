.PHONY: demo
demo: venv ## everything at once: a cluster, Headrace, 336,776 events, and the proof
	$(BIN)/python -m examples.flights.demo
