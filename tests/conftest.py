"""No test asserts an absolute time: an example of hypothesis has no deadline either."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
