.PHONY: crd
crd: venv ## write the CustomResourceDefinition, its JSON Schema and its reference page from the models
	$(BIN)/python -m headrace_api.generated

.PHONY: check-crd
check-crd: venv
	$(BIN)/python -m headrace_api.generated --check

check: check-crd
