-- From version 3 to version 4: what tells damage from what was written, a journal from its past, who
-- may speak of a company, and what repeats what.

-- 64 bits over what the row says beside its content; NULL: written by an older format.
ALTER TABLE change ADD COLUMN seal INTEGER;

-- 64 bits over the text; NULL: written by an older format.
ALTER TABLE fetched ADD COLUMN seal INTEGER;

-- Each time that the journal went back in time: an older copy was put back, or it was gone. Changes
-- with numbers above `base` came after that; every number that may have been given before is below.
CREATE TABLE epoch (
    number    INTEGER PRIMARY KEY,  -- 1, 2, 3
    base      INTEGER NOT NULL,
    began_at  INTEGER NOT NULL,
    cause     TEXT NOT NULL
) STRICT;

-- The numbers that were passed over with the last of them: above `skipped_after`, up to `skipped_to`.
ALTER TABLE realm ADD COLUMN skipped_after INTEGER NOT NULL DEFAULT 0;
ALTER TABLE realm ADD COLUMN skipped_to INTEGER NOT NULL DEFAULT 0;

DROP VIEW route;

CREATE VIEW route AS
    SELECT s.id AS sink, s.name AS sink_name, s.kinds, s.disabled_at, s.disabled_why,
           m.id AS realm, m.name AS realm_name, m.sequence,
           ifnull(l.since, 0) AS since, ifnull(l.through, 0) AS through,
           ifnull(l.attempts, 0) AS attempts, l.first_attempt_at, l.next_attempt_at, l.last_failure,
           m.sequence - ifnull(l.through, 0)
           - max(0, m.skipped_to - max(m.skipped_after, ifnull(l.through, 0))) AS behind
    FROM sink s
    -- A range of numbers, so that the one company of a sink is found by its number.
    JOIN realm m ON m.id BETWEEN ifnull(s.realm, 1) AND ifnull(s.realm, 9223372036854775807)
    LEFT JOIN lane l ON l.sink = s.id AND l.realm = m.id
    WHERE s.configured = 1;

-- How often the journal was opened, closed and looked after: compared with what the file beside it
-- says, a copy of it from before is known for one.
INSERT OR IGNORE INTO tally (name, value) VALUES ('generation', 0);

CREATE INDEX event_of_kind ON event (kind, id);

-- What a person puts aside.

-- A dead letter that nobody has to look after any more, without having been sent again.
ALTER TABLE dead ADD COLUMN discarded_at INTEGER;

-- An entry that was not understood and that a person has seen.
ALTER TABLE unreadable ADD COLUMN discarded_at INTEGER;

-- A replay that was cancelled before it was done.
ALTER TABLE replay ADD COLUMN cancelled_at INTEGER;

-- `sequence` of the company's newest change when the sink was taken out of the configuration: what it
-- had yet to get up to there is parked. NULL: nothing is.
ALTER TABLE lane ADD COLUMN parked INTEGER;

CREATE INDEX lane_parked ON lane (sink) WHERE parked IS NOT NULL;

-- Dead letters of each sink that still call for a person. Kept by triggers, so that no way to bring
-- one about, to close one or to delete one can forget to count.
ALTER TABLE sink ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;

UPDATE sink SET dead = (SELECT count(*) FROM dead d WHERE d.sink = sink.id AND d.replayed_at IS NULL);

DELETE FROM tally WHERE name = 'dead';

CREATE TRIGGER dead_counted AFTER INSERT ON dead
WHEN new.replayed_at IS NULL AND new.discarded_at IS NULL
BEGIN
    UPDATE sink SET dead = dead + 1 WHERE id = new.sink;
END;

CREATE TRIGGER dead_counted_again AFTER UPDATE ON dead
WHEN (new.replayed_at IS NULL AND new.discarded_at IS NULL)
    <> (old.replayed_at IS NULL AND old.discarded_at IS NULL)
BEGIN
    UPDATE sink SET dead = dead
        + iif(new.replayed_at IS NULL AND new.discarded_at IS NULL, 1, -1) WHERE id = new.sink;
END;

CREATE TRIGGER dead_uncounted AFTER DELETE ON dead
WHEN old.replayed_at IS NULL AND old.discarded_at IS NULL
BEGIN
    UPDATE sink SET dead = dead - 1 WHERE id = old.sink;
END;

-- Who may speak of a company, and what repeats what.

-- The source without a signature that named the company first and whose bound it counts against;
-- NULL: a signed notification named it, or a person connected it.
ALTER TABLE realm ADD COLUMN source TEXT;

UPDATE realm SET source = (
    SELECT r.verifier FROM change c JOIN receipt r ON r.seq = c.receipt
    JOIN provenance v ON v.receipt = r.seq AND v.authenticity IN ('credential', 'address')
    WHERE c.realm = realm.id ORDER BY c.sequence LIMIT 1)
WHERE id NOT IN (SELECT realm FROM company) AND NOT EXISTS (
    SELECT 1 FROM change c LEFT JOIN provenance v ON v.receipt = c.receipt
    WHERE c.realm = realm.id AND (v.receipt IS NULL OR v.authenticity = 'fetched'));

-- Companies that retention has forgotten: should one come back, its numbers go on.
CREATE TABLE forgotten (
    name      TEXT PRIMARY KEY,
    sequence  INTEGER NOT NULL,
    source    TEXT,              -- as in `realm`
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The change that said without a signature what this one says with one: the id of its event.
ALTER TABLE change ADD COLUMN confirms BLOB;

-- 1: nobody signed it, so that the same with a signature is no repeat of it.
ALTER TABLE seen ADD COLUMN unsigned INTEGER;

-- The newest event of the record up to here, whoever told it and none later than its receipt, to
-- know a late one; NULL: the same as `newest_at`, which knows only what was signed or read.
ALTER TABLE seen ADD COLUMN ordered_at INTEGER;

-- Entries of a receipt that had come before, and with which receipt.
CREATE TABLE repeated (
    receipt  INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,  -- place in the body, from 0
    of       INTEGER NOT NULL,  -- may be gone
    PRIMARY KEY (receipt, ordinal)
) STRICT, WITHOUT ROWID;

-- Changes of companies that were refused, and how many of them because there are too many companies
-- (0 again when there is room).
INSERT OR IGNORE INTO tally (name, value) VALUES ('refused', 0), ('over_limit', 0);

-- Bytes of the receipts of each source that does not sign, for its share.
CREATE TABLE held (
    source  TEXT PRIMARY KEY,
    bytes   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO held (source, bytes)
    SELECT r.verifier, sum(octet_length(r.body) + octet_length(r.headers) + 512 * r.items + 256)
    FROM receipt r JOIN provenance v ON v.receipt = r.seq
    WHERE v.authenticity IN ('credential', 'address') GROUP BY r.verifier;
