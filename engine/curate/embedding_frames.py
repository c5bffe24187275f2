"""Messages between the encoder process and its parent: eight bytes of length, little endian, then the content."""

import asyncio
from typing import BinaryIO

_LENGTH_BYTES = 8


def framed(content: bytes) -> bytes:
    """The content behind its length."""
    return len(content).to_bytes(_LENGTH_BYTES, "little") + content


def read_frame(stream: BinaryIO) -> bytes | None:
    """Content of the next message, None at the end of the stream. Raises EOFError if it ends inside a message."""
    length = stream.read(_LENGTH_BYTES)
    if not length:
        return None
    content = stream.read(int.from_bytes(length, "little")) if len(length) == _LENGTH_BYTES else b""
    if len(length) != _LENGTH_BYTES or len(content) != int.from_bytes(length, "little"):
        raise EOFError("the stream ends inside a message")
    return content


async def receive_frame(stream: asyncio.StreamReader) -> bytes:
    """Content of the next message. Raises asyncio.IncompleteReadError at the end of the stream."""
    length = int.from_bytes(await stream.readexactly(_LENGTH_BYTES), "little")
    return await stream.readexactly(length)
