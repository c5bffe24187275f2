"""What names the content of a file."""

from pathlib import Path

import xxhash


def digest_of(path: str) -> str:
    """Size and xxh3 of a file's content. Raises OSError that names it."""
    digest, size = _read(Path(path))
    return f"{size}:{digest}"


def xxh3_of(path: Path) -> str:
    """xxh3-128 of a file's content, as 32 hex digits. Raises OSError that names it."""
    return _read(path)[0]


def _read(path: Path) -> tuple[str, int]:
    digest, size = xxhash.xxh3_128(), 0
    with path.open("rb") as stream:
        while part := stream.read(2**20):
            digest.update(part)
            size += len(part)
    return digest.hexdigest(), size
