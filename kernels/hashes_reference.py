"""Twins of csrc/core/hash.h, in Python and NumPy: the same 64 bits from the same bytes on every machine."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MASK = 0xFFFF_FFFF_FFFF_FFFF
WORD_SEED = 0x9E37_79B9_7F4A_7C15
LENGTH = 0xD6E8_FEB8_6659_FD93
CHUNK = 0xA076_1D64_78BD_642F
GRAM = 0xE703_7ED1_A0B4_28DB
SEQUENCE = 0x8EBC_6AF0_9C88_C6E3
MULTISET = 0x5899_65CC_7537_4CC3


def mix64(h: int) -> int:
    """MurmurHash3's 64-bit finalizer."""
    h ^= h >> 33
    h = h * 0xFF51_AFD7_ED55_8CCD & MASK
    h ^= h >> 33
    h = h * 0xC4CE_B9FE_1A85_EC53 & MASK
    return h ^ h >> 33


def mix32(h: int) -> int:
    """MurmurHash3's 32-bit finalizer."""
    h ^= h >> 16
    h = h * 0x85EB_CA6B & 0xFFFF_FFFF
    h ^= h >> 13
    h = h * 0xC2B2_AE35 & 0xFFFF_FFFF
    return h ^ h >> 16


def hash_bytes(content: bytes, seed: int = WORD_SEED) -> int:
    """Hash of bytes, 16 at a time as two little endian words, the last ones padded with zeros."""
    h = seed & MASK
    for at in range(0, len(content), 16):
        h = (h ^ int.from_bytes(content[at : at + 8], "little")) * CHUNK & MASK
        h ^= h >> 32
        h = (h ^ int.from_bytes(content[at + 8 : at + 16], "little")) * SEQUENCE & MASK
        h ^= h >> 29
    h = h * GRAM & MASK
    return h ^ h >> 32


def quantity_hash(token_hash: int) -> int:
    """What one number or sign adds to the multiset of them."""
    return mix64(token_hash ^ MULTISET)


def sequence_key(hashes: Sequence[int], content: bytes) -> tuple[int, int]:
    """128-bit key of a token sequence, or of the bytes where there is no token."""
    if not hashes:
        length = len(content) * LENGTH
        return hash_bytes(content, MULTISET + length), hash_bytes(content, SEQUENCE + length)
    first = second = 0
    for place, token in enumerate(hashes, start=1):
        m = place * WORD_SEED & MASK
        first += token * ((m ^ m >> 32) | 1)
        second += (token ^ token >> 32) * (((m ^ m >> 29) * LENGTH & MASK) | 1)
    return mix64((first + len(hashes)) & MASK), mix64((second & MASK) ^ len(hashes))


def mix64_array(h: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`mix64` of each entry."""
    h = h ^ h >> np.uint64(33)
    h = h * np.uint64(0xFF51_AFD7_ED55_8CCD)
    h = h ^ h >> np.uint64(33)
    h = h * np.uint64(0xC4CE_B9FE_1A85_EC53)
    return h ^ h >> np.uint64(33)


def mix32_array(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """MurmurHash3's 32-bit finalizer of each entry."""
    h = h ^ h >> np.uint32(16)
    h = h * np.uint32(0x85EB_CA6B)
    h = h ^ h >> np.uint32(13)
    h = h * np.uint32(0xC2B2_AE35)
    return h ^ h >> np.uint32(16)


def gram_hashes(hashes: Sequence[int], n: int) -> NDArray[np.uint64]:
    """Hashes of each n consecutive entries, uint64 [max(0, len - n + 1)], in order."""
    items = np.array(hashes, np.uint64)
    count = max(0, len(items) - n + 1)
    h = np.full(count, n * LENGTH & MASK, np.uint64)
    for k in range(n):
        h = h * np.uint64(GRAM) + items[k : k + count]
    return mix64_array(h)
