import type { HeaderList } from '../../types/request.ts';
import { callCount, fieldValue, resetValueMs } from './fieldValues.ts';
import type { RateHint, Told } from './hints.ts';
import { parseStructuredList } from './structuredList.ts';

/**
 * The headers `limit`, `remaining` and `reset` with a prefix, or with `-requests` behind it where there are others for other units.
 * Values that two gateways joined are quotas each, in their order.
 */
export function legacyHints(prefix: string): (headers: HeaderList, sentAt: number) => Told {
  return (headers, sentAt) => {
    const limits = counts(valueFor(headers, `${prefix}limit`));
    const remaining = counts(valueFor(headers, `${prefix}remaining`));
    const resets = resetsOf(valueFor(headers, `${prefix}reset`), sentAt);
    const length = Math.max(limits.length, remaining.length, resets.length);
    const quotas: RateHint[] = [];
    for (let index = 0; index < length; index++) {
      quotas.push({ limit: at(limits, index), remaining: at(remaining, index), resetMs: at(resets, index) });
    }
    return { quotas, concurrency: null };
  };
}

/** What was said once goes for all. */
function at(list: readonly number[], index: number): number | null {
  return list[index] ?? list.at(-1) ?? null;
}

function valueFor(headers: HeaderList, name: string): string | undefined {
  return fieldValue(headers, name) ?? fieldValue(headers, `${name}-requests`);
}

/** In older drafts the policies, `100;w=60`, followed the limit that was in force. */
function counts(value: string | undefined): number[] {
  if (value === undefined) return [];
  const only = callCount(value);
  if (only !== null) return [only];
  const items = parseStructuredList(value) ?? [];
  const plain = items.filter(({ parameters }) => parameters.size === 0);
  return (plain.length > 0 ? plain : items).map(({ name }) => callCount(name)).filter((count) => count !== null);
}

function resetsOf(value: string | undefined, sentAt: number): number[] {
  if (value === undefined) return [];
  const whole = resetValueMs(value, sentAt);
  const found = whole === null ? value.split(',').map((part) => resetValueMs(part.trim(), sentAt)) : [whole];
  return found.filter((ms) => ms !== null);
}
