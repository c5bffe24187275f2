"""The pack kernel on a CPU, compiled by numba at its first call: document after document, eight mask bits at a time."""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

_IGNORED = -100


def pack_compiled(
    tokens: NDArray[np.uint32],
    target_bits: NDArray[np.uint8],
    first_token: NDArray[np.int64],
    first_mask_byte: NDArray[np.int64],
    document_weights: NDArray[np.float32],
    cu_seqlens: NDArray[np.int32],
    pad_id: int,
    dtype: type[np.integer[Any]],
) -> tuple[NDArray[Any], ...]:
    """Input ids, positions, labels (`dtype`), weights (float32) and document numbers (int32) of every slot."""
    num_slots = int(cu_seqlens[-1])
    ids, positions, labels = (np.empty(num_slots, dtype) for _ in range(3))
    weights = np.empty(num_slots, np.float32)
    numbers = np.empty(num_slots, np.int32)
    _fill(
        tokens,
        target_bits,
        first_token,
        first_mask_byte,
        document_weights,
        cu_seqlens,
        pad_id,
        ids,
        positions,
        labels,
        weights,
        numbers,
    )
    return ids, positions, labels, weights, numbers


@nb.njit(cache=True)
def _fill(
    tokens: Any,
    target_bits: Any,
    first_token: Any,
    first_mask_byte: Any,
    document_weights: Any,
    cu_seqlens: Any,
    pad_id: Any,
    ids: Any,
    positions: Any,
    labels: Any,
    weights: Any,
    numbers: Any,
) -> None:
    num_documents = len(first_token)
    for d in range(num_documents):
        start, end = np.int64(cu_seqlens[d]), np.int64(cu_seqlens[d + 1])
        length = end - start
        own = tokens[first_token[d] : first_token[d] + length]
        bits = target_bits[first_mask_byte[d] : first_mask_byte[d] + (length + 7) // 8]
        ids[start:end] = own
        numbers[start:end] = d
        for j in range(length):
            positions[start + j] = j
        _label(own, bits, document_weights[d], labels[start:end], weights[start:end])
    start = np.int64(cu_seqlens[num_documents])
    ids[start:] = pad_id
    labels[start:] = _IGNORED
    weights[start:] = 0.0
    numbers[start:] = -1
    for j in range(len(positions) - start):
        positions[start + j] = j


@nb.njit(cache=True)
def _label(own: Any, bits: Any, weight: Any, labels: Any, weights: Any) -> None:
    """Labels and weights of one document: slot j - 1 learns token j where bit j is set."""
    length = len(own)
    labels[length - 1] = _IGNORED
    weights[length - 1] = 0.0
    for byte in range(len(bits)):
        mask = bits[byte]
        first, last = max(1, 8 * byte), min(length, 8 * byte + 8)
        if mask == 0:  # prompts and responses are long runs: nearly every byte is all or nothing
            labels[first - 1 : last - 1] = _IGNORED
            weights[first - 1 : last - 1] = 0.0
        elif mask == 0xFF:
            labels[first - 1 : last - 1] = own[first:last]
            weights[first - 1 : last - 1] = weight
        else:
            for j in range(first, last):
                chosen = (mask >> (j & 7)) & 1
                labels[j - 1] = own[j] if chosen else _IGNORED
                weights[j - 1] = weight if chosen else 0.0
