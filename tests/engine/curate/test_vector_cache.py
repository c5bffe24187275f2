"""Vectors that were made before: found by content, of one encoder, whole after a death."""

from pathlib import Path

import numpy as np
import pytest

from reasonmill.engine.curate.vector_cache import VectorCache


def array(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_what_was_kept_is_found_again_by_its_content(tmp_path: Path) -> None:
    cache = VectorCache(str(tmp_path), "encoder-1")
    texts = {"one": array([1, 0]), "a lone surrogate \ud800": array([0, 1], [1, 0])}
    cache.keep(texts)
    cache.keep(texts)
    cache.close()
    again = VectorCache(str(tmp_path), "encoder-1")
    found = again.find(["two", *texts])
    assert set(found) == set(texts)
    assert all((found[text] == texts[text]).all() for text in texts)
    again.close()


def test_thousands_of_texts_are_looked_up_at_once(tmp_path: Path) -> None:
    cache = VectorCache(str(tmp_path), "encoder-1")
    cache.keep({str(n): array([n, 0]) for n in range(3000)})
    found = cache.find([str(n) for n in range(0, 6000, 2)])
    assert {text: float(vectors[0, 0]) for text, vectors in found.items()} == {str(n): n for n in range(0, 3000, 2)}
    cache.close()


def test_another_encoder_has_vectors_of_its_own(tmp_path: Path) -> None:
    first, second = VectorCache(str(tmp_path), "encoder-1"), VectorCache(str(tmp_path), "encoder-2")
    first.keep({"one": array([1, 0])})
    assert second.find(["one"]) == {}
    first.close()
    second.close()
    first.path.replace(second.path)
    with pytest.raises(ValueError, match="holds vectors of 'encoder-1', not of 'encoder-2'"):
        VectorCache(str(tmp_path), "encoder-2")


def test_a_cache_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ValueError, match=r"embeddings\.cache: .*file' is no folder"):
        VectorCache(str(tmp_path / "file"), "encoder-1")
    path = VectorCache(str(tmp_path), "encoder-1").path
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    path.write_bytes(b"this is no database, but it is long enough to look like one " * 100)
    with pytest.raises(ValueError, match=r"embeddings\.cache: .*file is not a database"):
        VectorCache(str(tmp_path), "encoder-1")
