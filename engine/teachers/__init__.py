"""Teachers: what answers a query, one file per implementation."""
