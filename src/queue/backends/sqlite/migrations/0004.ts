/**
 * Schedules of recurring requests. `due` is null where one never fires by itself, and then it is not in the index, which has all that the
 * question for the next one needs. `schedule_floor` is the highest version of those that were deleted.
 */
export const schedules = `
CREATE TABLE schedule(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, due REAL, data TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX schedule_name ON schedule(name);
CREATE INDEX schedule_due ON schedule(due, name) WHERE due IS NOT NULL;

ALTER TABLE meta ADD COLUMN schedule_floor INTEGER NOT NULL DEFAULT 0;
`;
