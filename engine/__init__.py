"""Streaming engine: records, stages, teachers, journal, trainer, evaluation, report, command line."""
