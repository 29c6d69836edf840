-- `stored_at` of an identity is when its event was seen last, to the day; so long ago that nobody sends it again, it goes.
CREATE INDEX identities_by_seeing ON identities (stored_at);

-- Activity and identities take room like the rest.
ALTER TABLE activity ADD COLUMN size BIGINT NOT NULL DEFAULT 1000;
INSERT INTO usage (what, bytes) SELECT 'activity', CAST(coalesce(sum(size), 0) AS BIGINT) FROM activity;
INSERT INTO usage (what, bytes) SELECT 'identities', CAST(count(*) * 100 AS BIGINT) FROM identities;

-- Who had what is stored about a user removed. The user's name is not kept, but its SHA-256 in hex.
CREATE TABLE erasures (
    at BIGINT NOT NULL,
    author TEXT NOT NULL,
    user_digest TEXT NOT NULL,
    alerts BIGINT NOT NULL,
    activity BIGINT NOT NULL,
    quarantined BIGINT NOT NULL
);
