"""How long a replica takes for a step of its batch: one token for each running request.

    step = fixed + request * B + token * K + context * K / B        B requests that hold K tokens of context together

`token` is the attention that adds up over a batch, `context` the latency that its mean context costs whatever the
batch: with it alone a lone request at 32k would take what each of 32 adds, 1.05 ms, and not the 3.3 ms that it does.
Between two events B stays and K grows by B a step, so that a step's time is linear in the number of steps and any
stretch has a closed form.
"""

import math
from dataclasses import dataclass

from reasonmill.engine.simulation.settings import FULL_BATCH, LONG_CONTEXT, SpeedSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Seconds of a step by what is in the batch."""

    fixed: float
    request: float
    token: float
    context: float
    crowded_slowdown: float

    def step_s(self, running: int, tokens: float, *, crowded: bool = False) -> float:
        """Seconds of one step of `running` requests that hold `tokens` of context together."""
        plain = self.fixed + self.request * running + (self.token + self.context / running) * tokens
        return plain * self.crowded_slowdown if crowded else plain

    def growth_s(self, running: int, *, crowded: bool = False) -> float:
        """By how much each step is longer than the one before it."""
        plain = self.token * running + self.context
        return plain * self.crowded_slowdown if crowded else plain


def speed(settings: SpeedSettings) -> Speed:
    """The four costs that give the settings' measurements."""
    lone = 1.0 / settings.short_tokens_per_s
    slope = (1.0 / settings.full_tokens_per_s - 1.0 / settings.long_tokens_per_s) / (FULL_BATCH - 1)
    token = (slope - settings.request_cost_s) / LONG_CONTEXT
    return Speed(
        fixed=lone - settings.request_cost_s,
        request=settings.request_cost_s,
        token=token,
        context=(1.0 / settings.long_tokens_per_s - lone) / LONG_CONTEXT - token,
        crowded_slowdown=settings.crowded_slowdown,
    )


def stretch_s(step: float, growth: float, steps: float) -> float:
    """Seconds of `steps` steps, the first of which takes `step` and each further one `growth` more."""
    return steps * (step + 0.5 * growth * steps)


def steps_within(step: float, growth: float, seconds: float) -> float:
    """Steps that `seconds` are enough for: the inverse of stretch_s."""
    return 2.0 * seconds / (step + math.sqrt(step * step + 2.0 * growth * seconds))
