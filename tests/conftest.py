"""What holds for every test."""

import signal

from hypothesis import HealthCheck, settings

# How fast a machine generates examples proves nothing.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

# A shell that runs tests in the background ignores Ctrl-C for all that it starts, and so would the
# programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
