-- Whom and what an alert is about, and the silence that kept it from the outputs.
ALTER TABLE alerts ADD COLUMN username TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN target TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN silenced TEXT;

-- Alerts that outputs don't get. What is null fits everything. Rows stay, also of those that were removed or are over.
CREATE TABLE silences (
    id TEXT PRIMARY KEY NOT NULL,
    rule TEXT,
    cluster TEXT,
    username TEXT,
    namespace TEXT,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    removed_at BIGINT,
    removed_by TEXT
);

-- A delivery that speaks for so many alerts of the last so many milliseconds.
ALTER TABLE deliveries ADD COLUMN more BIGINT;
ALTER TABLE deliveries ADD COLUMN over_ms BIGINT;

-- Alerts alike that an output has had the first of: how many more until then, and the last of them.
CREATE TABLE alert_groups (
    output TEXT NOT NULL,
    group_key TEXT NOT NULL,
    span BIGINT NOT NULL,
    until BIGINT NOT NULL,
    more BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    PRIMARY KEY (output, group_key)
);
CREATE INDEX alert_groups_by_end ON alert_groups (until);
