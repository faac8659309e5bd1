import type { MovedRequest } from '../../types/moved.ts';
import type { EndedRequest } from '../../types/request.ts';
import type { TerminalState } from '../../types/states.ts';
import type { Entry } from './Entry.ts';

const NOTHING: readonly never[] = Object.freeze([]);

/** What a step did to requests besides the one it names. Lists are made when there is something to list. */
export class Effects {
  ended: EndedRequest[] | null = null;
  moved: MovedRequest[] | null = null;

  get endedList(): readonly EndedRequest[] {
    return this.ended ?? NOTHING;
  }

  get movedList(): readonly MovedRequest[] {
    return this.moved ?? NOTHING;
  }

  addEnded(entry: Entry): void {
    this.ended ??= [];
    this.ended.push({
      id: entry.input.id,
      zone: entry.input.zone,
      state: entry.state as TerminalState, // it has just ended
      reason: entry.reason,
      endedSeq: entry.endedSeq,
    });
  }

  addMoved(entry: Entry): void {
    this.moved ??= [];
    this.moved.push(movedRequest(entry));
  }
}

function movedRequest(entry: Entry): MovedRequest {
  return {
    id: entry.input.id,
    zone: entry.input.zone,
    channel: entry.input.channel,
    state: entry.state,
    reason: entry.reason,
    dueAt: entry.dueAt,
  };
}
