"""Triton kernels. Each file imports triton when it is imported itself, so only what launches a kernel imports it."""
