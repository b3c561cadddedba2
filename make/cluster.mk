CLUSTER := $(PYTHON) -m tests.cluster

.PHONY: cluster-build
cluster-build: ## build Kubernetes, CoreDNS and Helm into the cache (minutes, once)
	$(CLUSTER) build

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
