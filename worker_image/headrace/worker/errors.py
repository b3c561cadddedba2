"""What ends a command before it has begun."""


class ConfigError(Exception):
    """The configuration cannot be used; the message says what to change."""
