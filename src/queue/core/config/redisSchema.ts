import * as z from 'zod';
import { count, duration, field, flag, isRecord } from './fields.ts';

const text = field<string>('a string that is not empty', (v) => typeof v === 'string' && v !== '');
const port = field<number>('a port', (v) => Number.isInteger(v) && (v as number) > 0 && (v as number) < 65_536);
const address = z.strictObject({ host: text.optional(), port: port.optional() });
const addresses = z
  .array(address, { error: 'a list of { host, port }' })
  .min(1, { error: 'at least one { host, port }' });

export const REDIS_SHAPE = {
  kind: z.unknown(),
  host: text.optional(),
  port: port.optional(),
  url: field<string>('a redis:// or rediss:// URL', isRedisUrl).optional(),
  cluster: addresses.optional(),
  sentinels: addresses.optional(),
  sentinelName: text.optional(),
  sentinelPassword: text.optional(),
  username: text.optional(),
  password: text.optional(),
  db: count(0).optional(),
  tls: field<boolean | object>(
    'true, false or options of tls.connect',
    (v) => typeof v === 'boolean' || isRecord(v),
  ).optional(),
  keyPrefix: field<string>(
    'a name without { and }',
    (v) => typeof v === 'string' && v !== '' && !/[{}]/.test(v),
  ).optional(),
  waitReplicas: count(0).optional(),
  waitAof: count(0).optional(),
  waitTimeoutMs: duration(1).optional(),
  commandTimeoutMs: duration(100).optional(),
  allowEviction: flag.optional(),
  spill: z
    .strictObject(
      { path: field<string>('the path of a file', (v) => typeof v === 'string' && v !== '' && !v.includes('\0')) },
      { error: '{ path }' },
    )
    .optional(),
};

/** Options that say the same thing in different ways, and what to take of them. */
const EXCLUSIVE: readonly (readonly [name: string, others: readonly string[]])[] = [
  ['url', ['host', 'port', 'cluster', 'sentinels', 'username', 'password']],
  ['cluster', ['host', 'port', 'sentinels', 'db']],
  ['sentinels', ['host', 'port']],
  ['waitAof', ['waitReplicas']],
];

export const redisSchema = z.strictObject(REDIS_SHAPE).superRefine((options, context) => {
  const { sentinels, sentinelName } = options;
  const given: Readonly<Record<string, unknown>> = options;
  for (const [name, others] of EXCLUSIVE) {
    if (given[name] === undefined) continue;
    for (const other of others) {
      if (given[other] === undefined) continue;
      context.addIssue({ code: 'custom', path: [other], message: `nothing: \`${name}\` is given` });
    }
  }
  if (sentinelName !== undefined && sentinels === undefined) {
    context.addIssue({ code: 'custom', path: ['sentinelName'], message: 'nothing: there are no `sentinels`' });
  }
});

function isRedisUrl(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && /^rediss?:$/.test(new URL(value).protocol);
}
