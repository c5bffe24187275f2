"""How much an n-gram of an evaluation item says: a rare one much, one of a template little."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.settings import DecontaminateSettings
from reasonmill.engine.curate.template_words import is_common
from reasonmill.kernels.hashes_reference import gram_hashes
from reasonmill.kernels.ngrams import NgramIndex
from reasonmill.kernels.tokens import tokenize

UNIT = 65536  # weight of a rare n-gram: integers, so that sums do not depend on their order


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemNgrams:
    """Of G n-grams: `common` bool [G] (every token is one that most problem statements use), `words`, as text; of the I
    items: `num_tokens` int64 [I].
    """

    common: NDArray[np.bool_]
    words: list[str]
    num_tokens: NDArray[np.int64]


def item_ngrams(index: NgramIndex, items: Sequence[str], settings: DecontaminateSettings) -> ItemNgrams:
    """The n-grams of an index in words; `items` are the texts that it was made of."""
    common = np.zeros(index.num_grams, np.bool_)
    words = [""] * index.num_grams
    num_tokens = np.zeros(len(items), np.int64)
    for number, item in enumerate(items):
        tokens = tokenize(item)
        num_tokens[number] = len(tokens)
        ngram = size_of(len(tokens), settings)
        hashes, first = np.unique(gram_hashes([token.hash for token in tokens], ngram), return_index=True)
        grams = index.item_grams(number)
        assert len(hashes) == len(grams), "the index and the tokenizer read an item differently"
        usual = [is_common(token) for token in tokens]
        for gram, start in zip(grams.tolist(), first.tolist(), strict=True):
            if not words[gram]:
                words[gram] = " ".join(token.folded for token in tokens[start : start + ngram])
                common[gram] = all(usual[start : start + ngram])
    return ItemNgrams(common=common, words=words, num_tokens=num_tokens)


def size_of(num_tokens: int, settings: DecontaminateSettings) -> int:
    """Tokens of the n-grams of an item that has so many."""
    return settings.short_ngram if num_tokens < settings.short_tokens else settings.ngram


def rarity(
    ngrams: ItemNgrams, num_texts_with: NDArray[np.uint32], num_texts: int, settings: DecontaminateSettings
) -> NDArray[np.uint32]:
    """Weight of each n-gram, uint32 [G], in units of 1 / UNIT; `num_texts_with` uint32 [G] counts the queries."""
    usual = max(settings.common_count, settings.common_share * num_texts)
    weights = np.where(ngrams.common, settings.common_weight, 1.0)
    weights *= np.minimum(1.0, usual / np.maximum(num_texts_with, 1))
    return np.round(weights * UNIT).astype(np.uint32)
