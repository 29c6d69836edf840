-- The same tables as in SQLite. Times are UTC since 1970: `time` in nanoseconds as events give it, `stored_at` in
-- milliseconds.

-- Every alert identity that was ever stored. Outlives the alert, so that an old event sent again raises nothing.
CREATE TABLE identities (
    id BYTEA PRIMARY KEY,
    stored_at BIGINT NOT NULL
);

CREATE TABLE alerts (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE,
    time BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    rule TEXT NOT NULL,
    -- 0 Emergency to 7 Debug
    priority SMALLINT NOT NULL,
    cluster TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX alerts_by_time ON alerts (time);
CREATE INDEX alerts_by_rule ON alerts (rule, time);

-- What an output still has to write: one row per alert and output, gone when written, kept with the reason when refused.
CREATE TABLE deliveries (
    output TEXT NOT NULL,
    seq BIGINT NOT NULL,
    refused TEXT,
    PRIMARY KEY (output, seq)
);

-- Records that could not be evaluated, whole. The identity is over cluster and record: sent again, kept once.
CREATE TABLE quarantine (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE,
    stored_at BIGINT NOT NULL,
    cluster TEXT NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    record BYTEA NOT NULL
);

-- One row, rewritten to find out whether the store can be written.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at BIGINT NOT NULL
);
