"""A real Kubernetes of one node on this machine, without Docker: `python3 -m tests.cluster up`.

Standard library only: it runs before a virtual environment exists. docs/local-kubernetes.md is its
page; `lifecycle` tells the story of a start and of an end.
"""
