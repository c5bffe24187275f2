"""How a run ends early: a failure that names its cause, or a signal."""

import signal


class RunFailed(Exception):
    """Something that the run cannot do without failed for good; the message names it and where to look."""


def first_failure(failure: BaseException) -> BaseException:
    """The first failure of a group; the others are its consequences."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


class Stopped(Exception):
    """A signal ended the run in order; `status` is the exit status that shells expect of it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number
