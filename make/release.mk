.PHONY: version
version: ## print the version, or set it everywhere: make version TO=0.2.0
	@$(PYTHON) make/version.py $(TO)

.PHONY: check-version
check-version:
	@$(PYTHON) make/version.py

check: check-version

.venv/.release: .venv/.installed
	$(BIN)/python -m pip install -q -c constraints.txt --group release
	@touch $@

.PHONY: release-files
release-files: .venv/.release cluster-build ## build every file of a release twice into dist/release, and compare
	$(BIN)/python -m make.release dist/release --twice

.PHONY: release-dry-run
release-dry-run: release-files ## the same, signed by a key that is then thrown away, and checked
	$(BIN)/python -m make.signatures dist/release
