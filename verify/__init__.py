"""Verifiers per category, the code sandbox and the killable pool that runs them."""
