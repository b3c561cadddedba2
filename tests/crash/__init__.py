"""Crash proof: real workers, a real Redis, random faults, and a checker with its own record."""
