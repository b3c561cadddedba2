.PHONY: crd
crd: venv ## write the CustomResourceDefinition from the models
	$(BIN)/python -m headrace_api.crd

.PHONY: check-crd
check-crd: venv
	$(BIN)/python -m headrace_api.crd --check

check: check-crd
