"""Untrusted programs, run where they can do no harm: warm slots in bubblewrap, or not at all."""
