"""Accepted samples into packed rows: renders the conversation, marks the final response as target, appends."""

from pathlib import Path
from typing import Any

from reasonmill.engine.records import Sample
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.dataset import PackedWriter
from reasonmill.packing.settings import PackSettings


class PackingSink:
    """Rows of one run, resumed from the state that the journal holds."""

    def __init__(
        self, folder: Path, settings: PackSettings, encoder: ChatEncoder, state: dict[str, Any] | None
    ) -> None:
        self._settings = settings
        self._encoder = encoder
        self._writer = PackedWriter(
            folder,
            max_length=settings.max_length,
            state=state,
            window_documents=settings.window_documents,
            min_fill=settings.min_fill,
        )

    def append(self, sample: Sample) -> str | None:
        """Take a sample into the rows; the reason where it does not go in, None where it does or is not wanted."""
        chosen = self._settings
        if chosen.teachers and sample.attempt.teacher not in chosen.teachers:
            return None
        if chosen.categories and sample.query.category not in chosen.categories:
            return None
        turns = [(m.role, m.content) for m in sample.query.messages]
        encoded = self._encoder.encode([*turns, ("assistant", sample.attempt.text)])
        document = f"{sample.query.id}/{sample.attempt.teacher}"
        return None if self._writer.append(encoded.input_ids, encoded.target, document=document) else "too_long"

    def sync(self) -> dict[str, Any]:
        """Write and sync what was taken; returns the state after it."""
        return self._writer.sync()

    def publish(self, state: dict[str, Any]) -> None:
        """Show readers the rows of a state that is in the journal."""
        self._writer.publish(state)

    def finish(self) -> dict[str, Any]:
        """Write the last, part-filled rows; returns the final state."""
        return self._writer.finish()
