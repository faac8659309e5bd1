import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import type { ConflictRules } from '../strategies/conflict.ts';
import type { CallQueue, LocalId } from '../types/calls.ts';
import type { StoredRequest } from '../types/request.ts';
import type { ProbeFunction } from './config/options.ts';
import type { StampOptions } from './probeKits/byStamp.ts';

/**
 * What the author of a client declares once about one kind of thing an API has. Functions cannot be stored: a process applies the rules it was
 * given, to requests that name the resource.
 */
export interface ResourceRules extends ConflictRules {
  /** Unique within the queue; stored with each request. */
  readonly name: string;
  /**
   * How a version is told: `etag`, the header, sent as `If-Match`; or a JSON pointer into the thing itself, which is read and compared before a change
   * that has waited longer than `staleAfterMs` is sent. Absent: changes are sent without a precondition.
   */
  readonly version?: 'etag' | `/${string}` | undefined;
  /** Of versions that are fields: a younger change is sent without looking. @default 300_000 (5 min) */
  readonly staleAfterMs?: number | undefined;
  /** How to find out whether a write was applied whose outcome is unknown. @default the zone's */
  readonly probe?: ProbeFunction | undefined;
  /** Field of what is made that the API stores and can be searched for: an id of the request is sent in it, and a create is found by it. */
  readonly stamp?: StampOptions | undefined;
  /** Changes of one thing that were not sent yet become one. @default false */
  readonly squash?: boolean | undefined;
}

/** What a client needs of a queue to declare resources. */
export interface ResourceQueue extends CallQueue {
  localId(type: string): LocalId;
  /** Applies rules to the requests that name the resource. @throws CONFIG_INVALID where the name is taken. Returns its undo. */
  registerResource(rules: ResourceRules): () => void;
}

/** The resources that this process has the rules of. */
export class Resources {
  readonly #byName = new Map<string, ResourceRules>();

  add(rules: ResourceRules): () => void {
    const { name } = rules;
    if (this.#byName.has(name)) {
      const problems: Problem[] = [{ path: 'name', expected: 'a name no other resource of this queue has', got: name }];
      throw new HoldfastError('CONFIG_INVALID', `two resources of one queue are named "${name}"`, { problems });
    }
    this.#byName.set(name, rules);
    return () => {
      if (this.#byName.get(name) === rules) this.#byName.delete(name);
    };
  }

  named(name: string): ResourceRules | undefined {
    return this.#byName.get(name);
  }

  /** The rules of the resource a request is of; undefined where it is of none, or of one that only another process has. */
  of({ intent }: Pick<StoredRequest, 'intent'>): ResourceRules | undefined {
    return intent?.resource === undefined ? undefined : this.#byName.get(intent.resource);
  }
}

/** Whether somebody said what is to become of a conflict: then a waiting caller is not given the answer that speaks of it. */
export function handlesConflicts(rules: ResourceRules | undefined): boolean {
  return rules !== undefined && (rules.onConflict !== undefined || rules.version !== undefined);
}
