"""Kernels against their twins: on a GPU where there is one, else under Triton's interpreter.

The interpreter is chosen when a kernel is defined, so it gets a process of its own: test_interpreted_kernels.py starts
one over this folder. In any other process without a GPU nothing here is collected.
"""

import os

import pytest
import torch

ON_GPU = torch.cuda.is_available()
collect_ignore_glob = [] if ON_GPU or os.environ.get("TRITON_INTERPRET") == "1" else ["test_*.py"]


def pytest_collection_modifyitems(items):
    for item in items:
        if ON_GPU and "kernels/gpu" in str(item.path):
            item.add_marker(pytest.mark.gpu)


@pytest.fixture
def device():
    return torch.device("cuda" if ON_GPU else "cpu")
