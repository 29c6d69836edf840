-- Which of several receivers feeds an output, and until when (milliseconds since 1970 by the database's clock).
CREATE TABLE leases (
    name TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL
);
