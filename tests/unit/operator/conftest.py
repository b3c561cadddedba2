"""Properties are checked on whatever machine; how fast it generates examples proves nothing."""

from hypothesis import HealthCheck, settings

settings.register_profile("operator", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("operator")
