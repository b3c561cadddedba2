"""A simulation of scalers side by side: the same traces, the same workers, the same clock."""
