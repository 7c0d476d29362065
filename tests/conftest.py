"""What holds for all tests: the same search for counterexamples each time, and Ctrl-C as in a terminal."""

import signal

from hypothesis import HealthCheck, settings

# Examples are the same in each run, so that a change is judged by what it changed; ``nox -s fuzz`` looks further.
settings.register_profile(
    "project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")

# A background job of a shell begins with SIGINT ignored, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
