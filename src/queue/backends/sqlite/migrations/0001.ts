/**
 * The first layout.
 *
 * `request` holds what moves and is indexed; what only readers of whole records want is in `content` and `result`.
 * A place is a (zone, channel, sender); requests, indexes and counters refer to it by number. Indexes are partial so
 * that a request is only in those its state needs; queries must repeat the index's condition literally. State codes:
 * 0 ready, 1 scheduled, 2 blocked, 3 sending, 4 unknown, 5 held, 6 succeeded, 7 dead, 8 cancelled, 9 superseded.
 * `line` is the 53-bit hash of the lane while the request is live. `due` is also kept while blocked, as the
 * time a move asked for. `waits` counts live predecessors; the rows of `wait` name all of them until the waiter ends. Times are REAL: clocks may give fractions.
 */
export const initialLayout = `
CREATE TABLE meta(
  one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, ended_seq INTEGER NOT NULL,
  shared_version INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0, 0);

CREATE TABLE place(
  id INTEGER PRIMARY KEY, zone TEXT NOT NULL, channel TEXT NOT NULL, sender TEXT NOT NULL,
  UNIQUE (zone, channel, sender)
) STRICT;

CREATE TABLE counter(
  place INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY (place, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE request(
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, place INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL,
  flags INTEGER NOT NULL, rank REAL NOT NULL, due REAL, not_before REAL, expires REAL,
  token INTEGER NOT NULL, worker TEXT, lease_until REAL, first_sent REAL, line INTEGER, waits INTEGER NOT NULL, callers INTEGER NOT NULL,
  priority REAL NOT NULL, accepted REAL NOT NULL, ended REAL, ended_seq INTEGER, bytes INTEGER NOT NULL,
  lane TEXT, principal TEXT NOT NULL, key TEXT, fp INTEGER, digest TEXT, replayed_as TEXT, progress TEXT
) STRICT;
CREATE UNIQUE INDEX request_id ON request(id);
CREATE UNIQUE INDEX request_key ON request(key) WHERE key IS NOT NULL;
CREATE INDEX request_fp ON request(fp) WHERE fp IS NOT NULL;
CREATE INDEX request_ready ON request(place, rank) WHERE state = 0;
CREATE INDEX request_due ON request(place, due) WHERE state = 1;
CREATE INDEX request_blocked ON request(place) WHERE state = 2;
CREATE INDEX request_sending ON request(worker, lease_until) WHERE state = 3;
CREATE INDEX request_unknown ON request(place, due) WHERE state = 4;
CREATE INDEX request_held ON request(place) WHERE state = 5;
CREATE INDEX request_line ON request(line) WHERE line IS NOT NULL;
CREATE INDEX request_line_rank ON request(line, rank) WHERE state = 2 AND line IS NOT NULL;
CREATE INDEX request_expiry ON request(place, expires)
  WHERE expires IS NOT NULL AND state IN (0, 1, 2, 5) AND flags & 256 = 0;
CREATE INDEX request_ended ON request(state, ended_seq, ended) WHERE ended_seq IS NOT NULL;

CREATE TABLE content(seq INTEGER PRIMARY KEY, head TEXT NOT NULL, body ANY) STRICT;
CREATE TABLE result(seq INTEGER PRIMARY KEY, status INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB) STRICT;

CREATE TABLE wait(
  predecessor INTEGER NOT NULL, waiter INTEGER NOT NULL, PRIMARY KEY (predecessor, waiter)
) STRICT, WITHOUT ROWID;
CREATE INDEX wait_waiter ON wait(waiter);

CREATE TABLE binding(
  local_id TEXT PRIMARY KEY, server_id TEXT NOT NULL, type TEXT NOT NULL, zone TEXT NOT NULL, request_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE worker(
  worker TEXT PRIMARY KEY, boot_id TEXT NOT NULL, pid_namespace TEXT NOT NULL, pid INTEGER NOT NULL,
  process_start TEXT NOT NULL, alive_until REAL NOT NULL, lease_ms REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE shared(
  key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL, expires REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX shared_expiry ON shared(expires) WHERE expires IS NOT NULL;

CREATE TABLE semaphore(
  key TEXT NOT NULL, holder TEXT NOT NULL, expires REAL NOT NULL, PRIMARY KEY (key, holder)
) STRICT, WITHOUT ROWID;
CREATE INDEX semaphore_expiry ON semaphore(expires);

CREATE TABLE bucket(key TEXT PRIMARY KEY, full_at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX bucket_full ON bucket(full_at);

CREATE TABLE history(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, at REAL NOT NULL, data TEXT NOT NULL
) STRICT;
CREATE INDEX history_stream ON history(stream);
`;
