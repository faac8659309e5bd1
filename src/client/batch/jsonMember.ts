import { headerValue } from '../../queue/strategies/headerValue.ts';
import type { BatchCandidate } from '../../queue/types/batch.ts';
import { isJsonType } from './outcomes.ts';
import { rawJson } from './rawJson.ts';

/** The JSON text of a request that says it is JSON, or says nothing; undefined for others, and without a body. */
export function jsonBody({ headers, body }: Pick<BatchCandidate, 'headers' | 'body'>): string | undefined {
  const type = headerValue(headers, 'content-type');
  const isEncoded = headerValue(headers, 'content-encoding') !== undefined;
  return isEncoded || (type !== undefined && !isJsonType(type)) ? undefined : rawJson(body);
}

export function hasBody({ body }: Pick<BatchCandidate, 'body'>): boolean {
  return body !== null && body.length > 0;
}
