/**
 * What entities need.
 *
 * `bundle` is the id of the request whose failure ended this one. A server id is kept as text; `numeric` says that it was
 * a number. `bound` is when, 0 where an older version bound it. An `alias` lets newcomers of the lane `server` into the
 * lane `local`; its row goes when the last live request of that lane does, so there are few.
 */
export const entities = `
ALTER TABLE request ADD COLUMN bundle TEXT;
CREATE INDEX request_bundle ON request(bundle) WHERE bundle IS NOT NULL;

ALTER TABLE binding ADD COLUMN numeric INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN bound REAL NOT NULL DEFAULT 0;
CREATE INDEX binding_bound ON binding(bound);

CREATE TABLE alias(server TEXT PRIMARY KEY, local TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;
