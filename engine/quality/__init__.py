"""Checks on accepted text: structure and repetition."""
