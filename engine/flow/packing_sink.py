"""Accepted samples into packed rows: renders the conversation, marks the final response as target, appends."""

import time
from collections import deque
from pathlib import Path
from typing import Any

from reasonmill.engine.records import Sample
from reasonmill.engine.store.aside import named
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.dataset import PackedWriter
from reasonmill.packing.settings import PackSettings


class PackingSink:
    """Rows of one run, resumed from the state that the journal holds."""

    def __init__(
        self, folder: Path, settings: PackSettings, encoder: ChatEncoder, state: dict[str, Any] | None
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._encoder = encoder
        with named(folder):
            self._writer = PackedWriter(
                folder,
                max_length=settings.max_length,
                state=state,
                window_documents=settings.window,
                min_fill=settings.min_fill,
                max_wait_documents=settings.max_wait_documents,
            )
        self._taken: deque[tuple[float, int]] = deque()  # (time, documents so far) of each sync, oldest first

    def append(self, sample: Sample) -> str | None:
        """Take a sample into the rows; the reason where it does not go in, None where it does or is not wanted."""
        chosen = self._settings
        if not chosen.takes(sample.attempt.teacher):
            return None
        if chosen.categories and sample.query.category not in chosen.categories:
            return None
        turns = [(m.role, m.content) for m in sample.query.messages]
        try:
            encoded = self._encoder.encode([*turns, ("assistant", sample.attempt.text)])
        except ValueError:  # of this conversation: the encoder was tried on one when it was opened
            return "not_encodable"
        document = f"{sample.query.id}/{sample.attempt.teacher}"
        return None if self._writer.append(encoded.input_ids, encoded.target, document=document) else "too_long"

    def sync(self) -> dict[str, Any]:
        """Write and sync what was taken; returns the state after it."""
        with named(self._folder):
            if self._settings.max_wait_s:
                self._let_overdue_leave(time.monotonic())
            return self._writer.sync()

    def _let_overdue_leave(self, now_s: float) -> None:
        """Give rows to the samples that came `max_wait_s` ago or earlier."""
        self._taken.append((now_s, self._writer.num_documents))
        overdue = 0
        while self._taken and self._taken[0][0] <= now_s - self._settings.max_wait_s:
            overdue = self._taken.popleft()[1]
        oldest = self._writer.oldest_waiting
        if oldest is not None and oldest < overdue:
            self._writer.leave_before(overdue)

    def publish(self, state: dict[str, Any]) -> None:
        """Show readers the rows of a state that is in the journal."""
        with named(self._folder):
            self._writer.publish(state)

    def finish(self) -> dict[str, Any]:
        """Write the last, part-filled rows; returns the final state."""
        with named(self._folder):
            return self._writer.finish()
