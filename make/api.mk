.PHONY: crd
crd: venv ## write the CustomResourceDefinition and its reference page from the models
	$(BIN)/python -m headrace_api.crd
	$(BIN)/python -m headrace_api.reference

.PHONY: check-crd
check-crd: venv
	$(BIN)/python -m headrace_api.crd --check
	$(BIN)/python -m headrace_api.reference --check

check: check-crd
