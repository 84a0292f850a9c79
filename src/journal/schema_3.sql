-- From version 2 to version 3: element instances, and sinks that are not told of everything.

-- The one company whose changes a sink is told of; NULL: all companies.
ALTER TABLE sink ADD COLUMN realm INTEGER;

-- The kinds of records whose changes it is told of, a JSON array in lower case; NULL: all kinds.
ALTER TABLE sink ADD COLUMN kinds TEXT;

-- `sequence` of the last change before those that the sink is told of; 0: of all that there were.
ALTER TABLE lane ADD COLUMN since INTEGER NOT NULL DEFAULT 0;

-- The lanes that there are, each with how far it is: which sink is told of which company, said here
-- and nowhere else.
CREATE VIEW route AS
    SELECT s.id AS sink, s.name AS sink_name, s.kinds, s.disabled_at, s.disabled_why,
           m.id AS realm, m.name AS realm_name, m.sequence,
           ifnull(l.since, 0) AS since, ifnull(l.through, 0) AS through,
           ifnull(l.attempts, 0) AS attempts, l.first_attempt_at, l.next_attempt_at, l.last_failure
    FROM sink s
    -- A range of numbers, so that the one company of a sink is found by its number.
    JOIN realm m ON m.id BETWEEN ifnull(s.realm, 1) AND ifnull(s.realm, 9223372036854775807)
    LEFT JOIN lane l ON l.sink = s.id AND l.realm = m.id
    WHERE s.configured = 1;

-- Element instances. Each has a sink of its own, which is configured while events leave by it.
CREATE TABLE instance (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- a number is never given twice
    sink          INTEGER NOT NULL UNIQUE REFERENCES sink (id),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    disabled_at   INTEGER,
    stopped_at    INTEGER,           -- since when its polls rest after too many failures
    stopped_why   TEXT,
    told_until    INTEGER,           -- `sequence` of the last change before its events were switched off
    name          TEXT NOT NULL,
    tags          TEXT NOT NULL,     -- JSON array
    token_digest  BLOB NOT NULL,
    sealed        BLOB NOT NULL,     -- with a key that is not in this file
    webhook       INTEGER CHECK (webhook IN (0, 1)),  -- NULL: its events are off
    polled_kinds  TEXT,              -- JSON array, as the API spells them; NULL: nothing is polled
    polled_every  INTEGER,           -- milliseconds
    calls_back    INTEGER NOT NULL CHECK (calls_back IN (0, 1))
) STRICT;

-- What is set for the whole Open Connectors interface.
CREATE TABLE setting (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
