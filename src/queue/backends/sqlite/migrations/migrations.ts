import { initialLayout } from './0001.ts';
import { entities } from './0002.ts';
import { schedules } from './0004.ts';

/** Of a version that changes nothing. */
const NOTHING = '';

/** SQL that brings a database from one version to the next, in order: the n-th leads to version n. Entries are never changed. */
export const MIGRATIONS: readonly string[] = [initialLayout, entities, NOTHING, schedules];
