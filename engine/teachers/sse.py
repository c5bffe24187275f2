"""Server-sent events out of a stream of bytes: the payload of each event, whatever pieces the network made of it."""

MAX_EVENT_BYTES = 16 * 2**20


class EventReader:
    """Feed it bytes; it returns the `data` of the events that are complete. Comments, ids and names are dropped."""

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, more: bytes) -> list[bytes]:
        """Events that end within `more`. Raises ValueError where one grows beyond MAX_EVENT_BYTES."""
        lines = (self._rest + more).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ValueError(f"an event of more than {MAX_EVENT_BYTES} bytes")
        events = []
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if line.startswith(b"data:"):
                self._data.append(line[5:].lstrip(b" "))
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
        return events

    def close(self) -> list[bytes]:
        """Events that the stream's end completes: a last one without its empty line."""
        return self.feed(b"\n\n") if self._rest or self._data else []
