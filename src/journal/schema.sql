-- The journal's tables, version 1. All times are milliseconds since 1970 in UTC.
--
-- Foreign keys are declared only where the child has an index on them; elsewhere one deletion
-- would search a whole table.

-- One authenticated request body. Never edited; retention deletes it with everything it brought.
CREATE TABLE receipt (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at   INTEGER NOT NULL,
    verifier      TEXT NOT NULL,
    form          TEXT CHECK (form IN ('cloudevents', 'legacy')),
    items         INTEGER NOT NULL,  -- entries in the body, those known already included
    first_change  INTEGER NOT NULL,  -- the changes it added are first_change .. first_change + changes
    changes       INTEGER NOT NULL,
    unreadable    INTEGER NOT NULL,  -- rows in `unreadable`
    headers       TEXT NOT NULL,     -- JSON: [["intuit-t-id", "..."], ...]
    digest        BLOB NOT NULL,     -- first 16 bytes of the body's SHA-256
    body          BLOB NOT NULL      -- last, so that the columns before it are read without it
) STRICT;

-- How often a receipt came again. Apart from `receipt` because counting must not rewrite a body.
CREATE TABLE repetition (
    receipt  INTEGER PRIMARY KEY,
    count    INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) STRICT;

-- Entries that were authentic and not understood.
CREATE TABLE unreadable (
    receipt  INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,  -- place in the body, from 0
    place    TEXT NOT NULL,
    why      TEXT NOT NULL,
    PRIMARY KEY (receipt, ordinal)
) STRICT, WITHOUT ROWID;

-- Companies. `sequence` is the number of the newest change and `pruned` how many retention deleted,
-- so that the numbers stay gapless and can be accounted for.
CREATE TABLE realm (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    sequence  INTEGER NOT NULL,
    pruned    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One notified change, to be told once to every sink.
CREATE TABLE change (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    receipt      INTEGER NOT NULL,
    ordinal      INTEGER NOT NULL,
    realm        INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,  -- 1, 2, 3 within the company
    kind         TEXT NOT NULL,
    entity       TEXT NOT NULL,
    operation    TEXT NOT NULL,
    happened     TEXT NOT NULL,     -- as the sender wrote it
    happened_at  INTEGER,           -- where that could be read
    deleted_id   TEXT,
    event_type   TEXT NOT NULL,
    sender_id    TEXT,
    data         TEXT,
    origin       TEXT NOT NULL CHECK (origin IN ('webhook', 'capture', 'poll', 'sweep')),
    late         INTEGER NOT NULL CHECK (late IN (0, 1)),
    conflicting  INTEGER NOT NULL CHECK (conflicting IN (0, 1)),
    identity     BLOB NOT NULL,     -- 16 bytes; with `content` and `conflicting` it gives the id
    content      INTEGER NOT NULL   -- 64 bits, as a signed number
) STRICT;

CREATE UNIQUE INDEX change_in_order ON change (realm, sequence);

-- Every entry that was taken in, in order of arrival; it outlives its receipt so that a repeat is
-- known for one. There is no index on `identity` and `record`: their values are random, so each
-- insertion would write pages of its own, the more the larger the journal. The writer keeps one in
-- memory.
CREATE TABLE seen (
    row        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    receipt    INTEGER NOT NULL,  -- the one that brought it first; may be gone
    content    INTEGER NOT NULL,
    identity   BLOB NOT NULL,
    record     INTEGER,           -- 64 bits of a digest of company, kind and id of the record
    newest_at  INTEGER            -- the newest event of that record up to here, to know a late one
) STRICT;

-- Every sink that was ever configured.
CREATE TABLE sink (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    configured    INTEGER NOT NULL CHECK (configured IN (0, 1)),
    added_at      INTEGER NOT NULL,
    disabled_at   INTEGER,
    disabled_why  TEXT
) STRICT;

-- How far a sink is with a company: a cursor over the company's changes, so that a change and its
-- deliveries are born together and settling is one row. No row: nothing settled yet.
CREATE TABLE lane (
    sink              INTEGER NOT NULL REFERENCES sink (id),
    realm             INTEGER NOT NULL,
    through           INTEGER NOT NULL,  -- `sequence` of the last settled change
    delivered_at      INTEGER,           -- when the sink last accepted something
    attempts          INTEGER NOT NULL DEFAULT 0,
    first_attempt_at  INTEGER,
    next_attempt_at   INTEGER,
    last_failure      TEXT,
    PRIMARY KEY (sink, realm)
) STRICT, WITHOUT ROWID;

-- Given up. `replayed_at`: somebody asked for it again.
CREATE TABLE dead (
    change       INTEGER NOT NULL,
    sink         INTEGER NOT NULL,
    died_at      INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    replayed_at  INTEGER,
    PRIMARY KEY (change, sink)
) STRICT, WITHOUT ROWID;

-- Asked for again by the operator.
CREATE TABLE replay (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    sink              INTEGER NOT NULL,
    realm             INTEGER NOT NULL,
    change            INTEGER NOT NULL,
    requested_at      INTEGER NOT NULL,
    attempts          INTEGER NOT NULL DEFAULT 0,
    first_attempt_at  INTEGER,
    next_attempt_at   INTEGER,
    last_failure      TEXT,
    done_at           INTEGER
) STRICT;

CREATE INDEX replay_of_change ON replay (change, sink);
CREATE INDEX replay_open ON replay (sink, realm, ifnull(next_attempt_at, 0), id) WHERE done_at IS NULL;

-- What a person asks about after a reboot; the newest thousand.
CREATE TABLE event (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    at    INTEGER NOT NULL,
    kind  TEXT NOT NULL,
    text  TEXT NOT NULL
) STRICT;

-- Counts that would otherwise need a search.
CREATE TABLE tally (
    name   TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO tally (name, value) VALUES ('dead', 0), ('receipts_pruned', 0), ('unreadable', 0);
