"""The pack kernel gives its twin's bits, for documents of any length, order and alignment."""

import numpy as np
import pytest
import torch

from reasonmill.kernels.gpu.pack_rows import pack_rows as launch
from reasonmill.kernels.pack_rows import _stage, place
from reasonmill.kernels.pack_rows_reference import pack_rows_reference

CASES = {
    "one document of one token": [1],
    "many of one token": [1] * 9,
    "one that fills several tiles": [2500],
    "mixed": [5, 1, 300, 2, 8, 9, 1100, 64],
    "none": [],
}


@pytest.mark.parametrize("lengths", CASES.values(), ids=CASES)
@pytest.mark.parametrize("padding", [0, 1, 37])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=str)
def test_one_launch_writes_what_the_twin_writes(lengths, padding, dtype, device):
    if not lengths and not padding:
        padding = 5
    rng = np.random.default_rng(len(lengths))
    total, mask_bytes = sum(lengths), sum((length + 7) // 8 for length in lengths)
    tokens = rng.integers(0, 2**31 - 1, total + 40).astype(np.uint32)
    bits = rng.integers(0, 256, mask_bytes + 9).astype(np.uint8)
    placement = place(
        lengths,
        first_token=np.cumsum([30, *lengths[:-1]]) if lengths else [],
        num_slots=total + padding,
        max_documents=len(lengths) + 3,
        weights=rng.random(len(lengths)),
    )
    raw = [
        torch.from_numpy(array).to(device)
        for array in (
            tokens.view(np.int32),
            bits,
            placement.first_token,
            placement.first_mask_byte,
            placement.weights,
            placement.cu_seqlens,
        )
    ]
    options = {
        "num_documents": len(lengths),
        "num_slots": total + padding,
        "pad_id": 7,
        "ignored": -100,
        "dtype": dtype,
    }
    expected = pack_rows_reference(*raw, **options)
    for inputs in (raw, _stage(tokens, bits, placement, device)):
        for found, wanted in zip(launch(*inputs, **options), expected, strict=True):
            assert found.dtype == wanted.dtype
            assert torch.equal(found, wanted)
