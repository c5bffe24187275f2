"""What names the content of a file."""

from pathlib import Path

import xxhash


def digest_of(path: str) -> str:
    """Size and xxh3 of a file's content. Raises OSError that names it."""
    digest, size = xxhash.xxh3_128(), 0
    with Path(path).open("rb") as stream:
        while part := stream.read(2**20):
            digest.update(part)
            size += len(part)
    return f"{size}:{digest.hexdigest()}"
