"""Queries in, clean queries out: filters, deduplication, decontamination, each removal with its evidence."""
