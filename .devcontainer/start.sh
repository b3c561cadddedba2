#!/usr/bin/env bash
# At each start: the cluster of docs/start/quickstart.md with the images and the operator, unless it is there.
set -eu
PATH="$(go env GOPATH)/bin:$PATH"
version=$(make --silent version)
kind get clusters | grep -qx kind || kind create cluster
docker build -q -f operator/Dockerfile -t "ghcr.io/headrace/operator:$version" .
docker build -q -f worker_image/Dockerfile -t "ghcr.io/headrace/worker:$version" .
kind load docker-image "ghcr.io/headrace/operator:$version" "ghcr.io/headrace/worker:$version"
helm upgrade --install headrace charts/headrace --namespace headrace-system --create-namespace --wait
