"""What holds for every test."""

import signal

# A shell that runs tests in the background ignores Ctrl-C for all that it starts, and so would the
# programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
