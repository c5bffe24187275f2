"""Native and Triton kernels, each beside its slow reference. Without the native module the references do the work."""

from importlib.util import find_spec

native_available: bool = find_spec("reasonmill.kernels._native") is not None
