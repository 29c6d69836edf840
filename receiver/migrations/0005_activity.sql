-- Who was inside what: one row for each request, joined from the stages that were logged. `document` is what the first of them
-- said. Times of events, nanoseconds since 1970; `stored_at` in milliseconds.
CREATE TABLE activity (
    id TEXT PRIMARY KEY NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT,
    code BIGINT,
    kind TEXT NOT NULL,
    cluster TEXT NOT NULL,
    username TEXT NOT NULL,
    namespace TEXT NOT NULL,
    stored_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX activity_by_start ON activity (started);
CREATE INDEX activity_by_storing ON activity (stored_at);
