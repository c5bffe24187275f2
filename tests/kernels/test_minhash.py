"""Signatures: native equals twin equals datasketch."""

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels import duplicates, minhash, minhash_reference

WORD_POOL = ("the", "cat", "sat", "on", "a", "mat", "中", "12", "naïve", "x+y=3", "ＡＢ")
WORDS = st.lists(st.sampled_from(WORD_POOL), max_size=40).map(" ".join)


@settings(deadline=None)
@given(st.lists(WORDS | st.text(max_size=30), max_size=4), st.integers(1, 70), st.integers(1, 6), st.integers(0, 9))
def test_native_signatures_are_those_of_the_twin(texts: list[str], num_perm: int, ngram: int, seed: int) -> None:
    factors, offsets = minhash_reference.permutations(num_perm, seed)
    expected = minhash_reference.signatures(texts, ngram, factors, offsets)
    found = minhash.signatures(texts, num_perm, ngram, seed)
    assert found.dtype == np.uint32
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("num_perm", [16, 100, 128])
def test_signatures_are_datasketch_sketches_of_the_same_hashes(num_perm: int) -> None:
    text = "How many apples do Ann, Bob and Carl have together if each of them has exactly seven more than Dora?"
    sketch = MinHash(num_perm=num_perm, seed=3, hashfunc=int)
    sketch.update_batch([int(gram) >> 32 for gram in minhash_reference.word_grams(text, 5)])
    assert np.array_equal(minhash.signatures([text], num_perm, seed=3)[0], sketch.hashvalues)


def test_a_text_of_fewer_words_than_the_ngram_has_no_signature() -> None:
    assert (minhash.signatures(["", "one two three four", "?"]) == 0xFFFF_FFFF).all()
    assert (minhash.signatures(["one two three four five"]) != 0xFFFF_FFFF).all()


def test_signatures_do_not_depend_on_threads_or_company() -> None:
    texts = [f"text number {n} has some words of its own, such as {n * n} and w{n}" for n in range(700)]
    alone = np.concatenate([minhash.signatures([text], num_threads=1) for text in texts])
    for num_threads in (1, 2, 5):
        assert np.array_equal(minhash.signatures(texts, num_threads=num_threads), alone)


@given(st.integers(0, 5), st.integers(1, 6), st.integers(1, 6))
def test_native_band_keys_are_those_of_the_twin(count: int, bands: int, rows: int) -> None:
    slots = np.random.default_rng(0).integers(0, 3, (count, bands * rows + 1)).astype(np.uint32)
    assert np.array_equal(minhash.band_keys(slots, bands, rows), minhash_reference.band_keys(slots, bands, rows))


def test_equal_slots_of_different_bands_have_different_keys() -> None:
    keys = minhash.band_keys(np.zeros((1, 50), np.uint32), 10, 5)
    assert len(np.unique(keys)) == 10


def test_wrong_sizes_are_refused_with_the_value() -> None:
    with pytest.raises(ValueError, match="num_perm: 0 is not positive"):
        minhash.signatures(["a"], num_perm=0)
    with pytest.raises(ValueError, match=r"25 bands of 6 rows need uint32 \[N, >= 150\], not uint32 \(1, 128\)"):
        minhash.band_keys(minhash.signatures(["a"]), 25, 6)


def test_without_the_native_module_the_twin_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["one two three four five six", "naïve ＡＢ 中文 1,000 + 2", "", "?"]

    def answers() -> list[np.ndarray]:
        prints = minhash.fingerprints(texts)
        slots = minhash.signatures(texts, 20)
        kept_as, jaccard = duplicates.near_duplicates(texts, np.arange(4), 0.8)
        return [
            prints.keys,
            prints.quantities,
            prints.num_words,
            slots,
            minhash.band_keys(slots, 4, 5),
            kept_as,
            jaccard,
        ]

    native = answers()
    monkeypatch.setattr(minhash, "native_available", False)
    monkeypatch.setattr(duplicates, "native_available", False)
    for twin, expected in zip(answers(), native, strict=True):
        assert twin.dtype == expected.dtype
        assert np.array_equal(twin, expected)


def test_fingerprints_are_the_same_numbers_on_every_machine() -> None:
    text = "How much is 1,234.5 + ½ of 中文, naïve?"
    prints = minhash.fingerprints([text])
    assert [hex(key) for key in prints.keys[0].tolist()] == ["0x10a3d1f78bc2c971", "0x6852a301996714b7"]
    assert hex(prints.quantities.tolist()[0]) == "0xd30460f1f71fefc6"
    slots = minhash.signatures([text], 4)
    assert slots.tolist() == [[519569925, 2231483338, 555509041, 1155926044]]
    assert [hex(key) for key in minhash.band_keys(slots, 2, 2)[0].tolist()] == [
        "0x8e632897b5af46b5",
        "0x8b6c82ec2df38792",
    ]
