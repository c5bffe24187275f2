"""How a teacher or one of its replicas fails, in more detail than TeacherFault."""

from reasonmill.engine.teachers.protocol import TeacherFault


class TeacherLost(TeacherFault):
    """The teacher is gone for good; the message says what to mend."""

    final = True


class NotTaken(TeacherFault):
    """A replica turned the request away before it generated anything: it may go elsewhere at once and costs nothing.

    `asked_s` is the pause that the replica asked for; `crowded` that it has too many requests, not that it is ill;
    `unreachable` that nobody answers at its address.
    """

    def __init__(
        self, message: str, *, asked_s: float | None = None, crowded: bool = False, unreachable: bool = False
    ) -> None:
        super().__init__(message)
        self.asked_s = asked_s
        self.crowded = crowded
        self.unreachable = unreachable
