-- From version 3 to version 4: what tells damage from what was written, and a journal from its past.

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
