"""How all tests search for counterexamples: the same way each time, and however busy the machine is."""

from hypothesis import HealthCheck, settings

# Examples are the same in each run, so that a change is judged by what it changed; ``nox -s fuzz`` looks further.
settings.register_profile(
    "project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")
