"""The operator on a real control plane: how soon it acts, and what a fleet costs."""
