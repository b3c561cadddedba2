"""The one error that a user of the cluster sees: a sentence that says what to do."""


class ClusterError(Exception):
    """Something is missing or failed; the message says what to do about it."""
