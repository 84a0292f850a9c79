-- From version 1 to version 2: receipts that were not signed notifications, and the QuickBooks side.

-- How a receipt came that was not a signed JSON notification. Apart from `receipt`, whose old rows
-- would have to be written again for it. `receipt.verifier` is the name of the verifier, of the
-- trusted source, or of the app by which it came.
CREATE TABLE provenance (
    receipt       INTEGER PRIMARY KEY,
    authenticity  TEXT NOT NULL CHECK (authenticity IN ('signed', 'credential', 'address', 'fetched')),
    encoding      TEXT NOT NULL CHECK (encoding IN ('json', 'xml', 'jsv', 'csv', 'form'))
) STRICT;

-- The record as QuickBooks gave it, for the change that it rides along with.
CREATE TABLE fetched (
    change  INTEGER PRIMARY KEY,
    body    TEXT NOT NULL
) STRICT;

-- Companies that were connected. The tokens are sealed with a key that is not in this file.
CREATE TABLE company (
    realm               INTEGER PRIMARY KEY REFERENCES realm (id),
    app                 TEXT NOT NULL,
    environment         TEXT NOT NULL CHECK (environment IN ('production', 'sandbox')),
    connected_at        INTEGER NOT NULL,
    standing            TEXT NOT NULL
                        CHECK (standing IN ('connected', 'needs_authorization', 'disconnected')),
    standing_since      INTEGER NOT NULL,
    standing_why        TEXT,
    tokens              BLOB,
    access_expires_at   INTEGER,
    refresh_expires_at  INTEGER,
    hard_expires_at     INTEGER,
    reconciled          INTEGER NOT NULL,  -- `sequence` through which notified changes are reconciled
    swept_at            INTEGER
) STRICT;

-- How far each kind of record of a company has been read.
CREATE TABLE watermark (
    realm      INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    at         INTEGER NOT NULL,  -- by QuickBooks's clock
    polled_at  INTEGER,           -- by the relay's
    PRIMARY KEY (realm, kind)
) STRICT, WITHOUT ROWID;

-- The last state of each record that was read: what is read again is known by it, and what is
-- missing from a complete list was deleted.
CREATE TABLE record (
    realm       INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    sync_token  TEXT,
    updated_at  INTEGER,
    deleted     INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    PRIMARY KEY (realm, kind, id)
) STRICT, WITHOUT ROWID;

-- Spans in which notifications may have been missed.
CREATE TABLE gap (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    since      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,
    closed_at  INTEGER
) STRICT;

-- Which companies a gap has been reconciled for, and what came of it.
CREATE TABLE gap_company (
    gap      INTEGER NOT NULL REFERENCES gap (id),
    realm    INTEGER NOT NULL,
    late     INTEGER NOT NULL,
    found    INTEGER NOT NULL,
    missing  INTEGER NOT NULL,
    PRIMARY KEY (gap, realm)
) STRICT, WITHOUT ROWID;

-- API calls of an app in a month (`2026-11`, UTC), for the budget.
CREATE TABLE spent (
    app    TEXT NOT NULL,
    month  TEXT NOT NULL,
    calls  INTEGER NOT NULL,
    PRIMARY KEY (app, month)
) STRICT, WITHOUT ROWID;
