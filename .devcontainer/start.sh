#!/usr/bin/env bash
# At each start: the cluster of docs/start/quickstart.md with the images and the operator, unless it is there.
set -eu
PATH="$(go env GOPATH)/bin:$PATH"
version=$(make --silent version)
if kind get clusters | grep -qx kind; then
  docker start kind-control-plane # its node stopped with this container
else
  kind create cluster
fi
timeout 120 bash -c 'until kubectl get --raw /readyz >/dev/null 2>&1; do sleep 1; done'
docker build -q -f operator/Dockerfile -t "ghcr.io/headrace/operator:$version" .
docker build -q -f worker_image/Dockerfile -t "ghcr.io/headrace/worker:$version" .
kind load docker-image "ghcr.io/headrace/operator:$version" "ghcr.io/headrace/worker:$version"
helm upgrade --install headrace charts/headrace --namespace headrace-system --create-namespace --wait
