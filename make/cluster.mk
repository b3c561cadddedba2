CLUSTER := $(PYTHON) -m tests.cluster

.PHONY: cluster-build
cluster-build: ## build Kubernetes, CoreDNS, both Helms, Valkey into the cache (minutes, once)
	@$(CLUSTER) build

# What takes minutes is done before a test's clock runs.
test-integration: cluster-build
test-e2e: cluster-build-images

.PHONY: cluster-build-images
cluster-build-images:
	@$(CLUSTER) build --images

.PHONY: cluster-up
cluster-up: ## boot the local Kubernetes of this checkout
	@$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## end it and remove all that it made
	@$(CLUSTER) down

.PHONY: cluster-status
cluster-status: ## say what of it runs
	@$(CLUSTER) status

.PHONY: cluster-images
cluster-images: ## build the project's images and load them into the running cluster
	@$(CLUSTER) images
