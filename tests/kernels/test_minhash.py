"""Signatures: native equals twin equals datasketch."""

import random

import numpy as np
import pyarrow
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels import _native, corpus, minhash, minhash_reference
from reasonmill.kernels.texts import Spans

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
    texts = ["one two three four five six", "naïve ＡＢ 中文 1,000 + 2 × 3", "", "?"]

    def answers() -> list[np.ndarray]:
        slots = minhash.signatures(texts, 20)
        read = corpus.Corpus(texts, banding=corpus.Banding())
        found = read.duplicates(0.8, label_variants=True)
        return [
            read.keys,
            read.quantities,
            read.num_words,
            slots,
            minhash.band_keys(slots, 4, 5),
            found.kept_as,
            found.jaccard,
            found.variant_of,
        ]

    native = answers()
    monkeypatch.setattr(minhash, "native_available", False)
    monkeypatch.setattr(corpus, "native_available", False)
    for twin, expected in zip(answers(), native, strict=True):
        assert twin.dtype == expected.dtype
        assert np.array_equal(twin, expected)


def test_every_instruction_set_gives_the_same_numbers() -> None:
    rng = random.Random(5)
    alphabet = "ab12 .,-+=[!\\é中𝒙≤’\u0301\ud800\x00ＡＺ" + "etaoin " * 3
    texts = ["".join(rng.choices(alphabet, k=rng.randrange(400))) for _ in range(300)]
    best = _native.isa()
    answers = []
    try:
        for isa in _native.isas():
            assert _native.use_isa(isa)
            read = corpus.Corpus(texts, banding=corpus.Banding(bands=7, rows=3))
            assert np.array_equal(minhash.signatures(texts, 45, 3), minhash.signatures(texts, 45, 3, num_threads=1))
            answers.append((read.keys, read.quantities, read.num_words, read.band_keys, minhash.signatures(texts, 45)))
    finally:
        _native.use_isa(best)
    assert "portable" in _native.isas()
    assert not _native.use_isa("no such set")
    long_enough = answers[0][2] >= 5
    for keys, quantities, num_words, band_keys, slots in answers:
        assert np.array_equal(keys, answers[0][0])
        assert np.array_equal(quantities, answers[0][1])
        assert np.array_equal(num_words, answers[0][2])
        assert np.array_equal(band_keys[:, long_enough], answers[0][3][:, long_enough])
        assert np.array_equal(slots, answers[0][4])


def test_signatures_of_arrow_buffers_are_those_of_the_strings() -> None:
    texts = ["one two three four five six", "naïve ＡＢ 中文 1,000 + 2 × 3 seven", "", "a b c d e"]
    expected = minhash.signatures(texts)
    for kind in (pyarrow.string(), pyarrow.large_string()):
        array = pyarrow.array(["dropped", *texts], kind).slice(1)
        assert np.array_equal(minhash.signatures(Spans.of_arrow(array)), expected)
    with pytest.raises(ValueError, match="1 of 2 texts are null"):
        Spans.of_arrow(pyarrow.array(["a", None]))
    with pytest.raises(ValueError, match="offsets do not ascend"):
        Spans(bytes=np.zeros(3, np.uint8), offsets=np.array([0, 4]))


def test_bytes_that_are_no_utf8_separate_words() -> None:
    broken = b"one\xfftwo three\xe4\xb8 four\xc3"
    spans = Spans(bytes=np.frombuffer(broken, np.uint8), offsets=np.array([0, len(broken)]))
    assert corpus.Corpus(spans).keys.tolist() == corpus.Corpus(["one two three four"]).keys.tolist()


def test_fingerprints_are_the_same_numbers_on_every_machine() -> None:
    text = "How much is 1,234.5 + ½ of 中文, naïve?"
    read = corpus.Corpus([text])
    slots = minhash.signatures([text], 4)
    found = [*read.keys[0].tolist(), *read.quantities.tolist(), *minhash.band_keys(slots, 2, 2)[0].tolist()]
    assert [hex(number) for number in found] == [
        "0xd254997f3a1a7112",
        "0x9349b21e4904cf78",
        "0xb7c4efcff638f98",
        "0xeb6d41909613a559",
        "0x3420fb79d197839a",
    ]
    assert slots.tolist() == [[36395826, 1920978408, 1965297116, 162096175]]
