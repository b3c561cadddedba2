CHART := charts/headrace
CHARTS := $(CHART) charts/pipeline
CRDS := streampipelines redisconnections
HELM = $(shell $(PYTHON) -m tests.cluster helm)

.PHONY: chart
chart: venv ## write what the charts take from elsewhere: the definitions, READMEs, descriptions
	for crd in $(CRDS); do cp crds/$$crd.headrace.dev.yaml $(CHART)/files/$$crd.yaml; done
	for chart in $(CHARTS); do $(BIN)/python make/chart_readme.py $$chart; done
	$(BIN)/python make/dashboards.py
	$(BIN)/python make/kustomize.py "$(HELM)"

.PHONY: install-manifest
install-manifest: venv ## write dist/install.yaml, all that an install without Helm applies
	@mkdir -p dist
	$(shell $(PYTHON) -m tests.cluster kubectl) kustomize charts/kustomize/base > dist/install.yaml

# Linted and rendered with every file in ci/; what comes out must be valid for the API server.
.PHONY: check-chart
check-chart: venv
	@for crd in $(CRDS); do cmp -s crds/$$crd.headrace.dev.yaml $(CHART)/files/$$crd.yaml \
	  || { echo "$(CHART)/files/$$crd.yaml differs from crds/$$crd.headrace.dev.yaml: run make chart"; exit 1; }; done
	@for chart in $(CHARTS); do $(BIN)/python make/chart_readme.py $$chart --check; done
	$(BIN)/python make/dashboards.py --check
	$(BIN)/python make/kustomize.py "$(HELM)" --check
	@helm="$(HELM)"; for chart in $(CHARTS); do for values in $$chart/ci/*-values.yaml; do \
	  echo "helm lint, template, validate: $$values"; \
	  $$helm lint --quiet --strict $$chart --values $$values; \
	  $$helm template headrace $$chart --namespace headrace-system --values $$values \
	    | $(BIN)/kubernetes-validate --strict --quiet --no-warn -; \
	done; done
	$(BIN)/kubernetes-validate --strict --quiet examples/flights/namespace.yaml examples/flights/redis.yaml

check: check-chart
