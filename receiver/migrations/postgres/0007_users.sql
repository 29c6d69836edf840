-- A B-tree takes 2704 bytes at most, and a user's name may be longer; equality is all that is asked.
DROP INDEX alerts_by_user;
CREATE INDEX alerts_by_user ON alerts USING hash (username);
