# The generator's messages about its own future are not ours to act on at each build.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install -q -c constraints.txt --group docs
	@touch $@

.PHONY: docs
docs: .venv/.docs ## write the documentation site to .build/site
	$(MKDOCS) build --quiet
	@echo "open .build/site/index.html"

.PHONY: serve-docs
serve-docs: .venv/.docs ## serve the documentation at http://127.0.0.1:8000, rebuilt at each change
	$(MKDOCS) serve

# Strict: a broken link, a missing anchor, a page that is not in the navigation fails.
.PHONY: check-docs
check-docs: .venv/.docs
	$(MKDOCS) build --quiet

check: check-docs
