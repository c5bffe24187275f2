"""Bounded channels, stages and the pipeline that wires them."""
