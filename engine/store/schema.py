"""Tables of the journal. Ordinals number the queries in input order: every later order is derived from them."""

SCHEMA_VERSION = 2

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- queries that survived the first, whole-input pass of curation
CREATE TABLE IF NOT EXISTS queries (
    ordinal INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    record BLOB NOT NULL,
    admitted INTEGER  -- NULL: not decided yet, 1: asked, 0: removed by the streaming part of curation
);

CREATE TABLE IF NOT EXISTS rejects (
    query_id TEXT NOT NULL,
    teacher TEXT NOT NULL,  -- '' where the whole query left
    stage TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence BLOB NOT NULL,
    PRIMARY KEY (query_id, teacher)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS attempts (
    ordinal INTEGER NOT NULL,
    teacher TEXT NOT NULL,
    number INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    duration_s REAL NOT NULL,
    replica TEXT NOT NULL,  -- '' where the teacher has one
    saved_tokens INTEGER NOT NULL,  -- of an answer that was broken off: what it could still have cost
    outcome TEXT,  -- NULL until verified
    score REAL,
    verifier TEXT,
    reason TEXT,
    detail TEXT,
    verify_s REAL,
    quality BLOB,
    text BLOB NOT NULL,  -- zstd; last, so that figures are read without walking through it
    PRIMARY KEY (ordinal, teacher, number)
) WITHOUT ROWID;

-- a (query, teacher) pair that is decided: number is the accepted attempt, or NULL; last is the last one asked
CREATE TABLE IF NOT EXISTS pairs (
    ordinal INTEGER NOT NULL,
    teacher TEXT NOT NULL,
    number INTEGER,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (ordinal, teacher)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS shards (
    path TEXT PRIMARY KEY,
    span INTEGER NOT NULL,
    teacher TEXT NOT NULL,
    category TEXT NOT NULL,
    num_rows INTEGER NOT NULL,
    digest TEXT NOT NULL
) WITHOUT ROWID;

-- slots of samples that were handed to the packer, in order, with its state after them
CREATE TABLE IF NOT EXISTS releases (slot INTEGER PRIMARY KEY, packed_state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS spans (span INTEGER PRIMARY KEY);
"""
