/**
 * What fair queueing needs.
 *
 * `turn` is the flow rank a request has, as a JSON array of group, flow and share; null where it has none. A `flow_group` is whose flows share one
 * time, the highest rank leased; `flow.last` is the rank that a flow was given last. Flows that say nothing go by `flow_turn`.
 */
export const flows = `
ALTER TABLE request ADD COLUMN turn TEXT;

CREATE TABLE flow_group(name TEXT PRIMARY KEY, time REAL NOT NULL, at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE flow(grp TEXT NOT NULL, name TEXT NOT NULL, last REAL NOT NULL, PRIMARY KEY (grp, name)) STRICT, WITHOUT ROWID;
CREATE INDEX flow_turn ON flow(grp, last);
`;
