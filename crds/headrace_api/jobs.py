"""How long the Jobs of a pipeline may take."""

DEADLINE_SECONDS = 3600
"""A run over a large backlog takes minutes, never an hour."""
