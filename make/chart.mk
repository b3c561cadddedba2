CHART := charts/headrace
CRD := crds/streampipelines.headrace.dev.yaml
CRD_IN_CHART := $(CHART)/files/streampipelines.yaml
HELM = $(shell $(PYTHON) -m tests.cluster helm)

.PHONY: chart
chart: venv ## write what the chart takes from elsewhere: the definition, README, descriptions
	cp $(CRD) $(CRD_IN_CHART)
	$(BIN)/python make/chart_readme.py $(CHART)

# Linted and rendered with every file in ci/; what comes out must be valid for the API server.
.PHONY: check-chart
check-chart: venv
	@cmp -s $(CRD) $(CRD_IN_CHART) || { echo "$(CRD_IN_CHART) differs from $(CRD): run make chart"; exit 1; }
	$(BIN)/python make/chart_readme.py $(CHART) --check
	@helm="$(HELM)"; for values in $(CHART)/ci/*-values.yaml; do \
	  echo "helm lint, template, validate: $$values"; \
	  $$helm lint --quiet --strict $(CHART) --values $$values; \
	  $$helm template headrace $(CHART) --namespace headrace-system --values $$values \
	    | $(BIN)/kubernetes-validate --strict --quiet -; \
	done
	$(BIN)/kubernetes-validate --strict --quiet examples/flights/namespace.yaml examples/flights/redis.yaml

check: check-chart
