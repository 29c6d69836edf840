-- What a row takes, about, and what all rows of a table take: kept with them, because counting takes as long as there are rows.
ALTER TABLE alerts ADD COLUMN size BIGINT NOT NULL DEFAULT 1000;
ALTER TABLE quarantine ADD COLUMN size BIGINT NOT NULL DEFAULT 1000;
CREATE TABLE usage (
    what TEXT PRIMARY KEY NOT NULL,
    bytes BIGINT NOT NULL
);
INSERT INTO usage (what, bytes) SELECT 'alerts', CAST(coalesce(sum(size), 0) AS BIGINT) FROM alerts;
INSERT INTO usage (what, bytes) SELECT 'quarantine', CAST(coalesce(sum(size), 0) AS BIGINT) FROM quarantine;
CREATE INDEX alerts_by_user ON alerts (username);

-- The newest event of each cluster, nanoseconds since 1970.
CREATE TABLE clusters (
    cluster TEXT PRIMARY KEY NOT NULL,
    newest BIGINT NOT NULL
);
