.PHONY: test-examples
test-examples: venv ## the examples' own tests
	$(BIN)/pytest -q examples

test: test-examples
