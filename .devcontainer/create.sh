#!/usr/bin/env bash
# Once, when the container is made: the development environment, redis-server for the tests, and kind.
set -eu
sudo apt-get update -q
sudo apt-get install -y -q redis-server
# The container's own tools, not a server that runs: the tests start theirs.
sudo service redis-server stop || true
make venv
go install sigs.k8s.io/kind@v0.33.0
echo "export PATH=\"$PWD/.venv/bin:\$(go env GOPATH)/bin:\$PATH\"" >> "$HOME/.bashrc"
