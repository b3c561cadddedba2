.PHONY: version
version: ## print the version, or set it everywhere: make version TO=0.2.0
	@$(PYTHON) make/version.py $(TO)

.PHONY: check-version
check-version:
	@$(PYTHON) make/version.py

check: check-version
