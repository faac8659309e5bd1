import type { Finding } from './findings.ts';
import type { History } from './history.ts';
import type { Scenario } from './scenario.ts';

/** A run as text, for whoever has to find out what went wrong. */
export function print({ steps, faults, ...world }: Scenario, history: History, findings: readonly Finding[]): string {
  const lines = [JSON.stringify(world), `faults ${faults.join(' ')}`];
  for (const [n, { event }] of steps.entries()) {
    if (event !== null) lines.push(`before ${n}: ${JSON.stringify(event)}`);
    const answer = history.answers[n];
    if (answer === undefined) continue;
    const { wish, acceptance, records, told, isAskedAgain } = answer;
    const { kind, thing, refersTo, isInLane, fields, base, life } = wish;
    const about = [
      thing === null ? '' : `#${thing}`,
      refersTo === null ? '' : `of #${refersTo}`,
      isInLane ? '' : 'no lane',
    ];
    const flags = [
      wish.isAwaited && 'awaited',
      wish.isBad && 'bad',
      isAskedAgain && 'again',
      wish.hasDeadline && 'deadline',
    ];
    const ends = records.map(({ state, reason, seq }) => `${seq}:${state}/${reason}`);
    const accepted = typeof acceptance === 'string' ? acceptance : acceptance.refused;
    lines.push(
      [
        `w${n}`,
        kind,
        ...about,
        JSON.stringify(fields),
        base === null ? '' : `base@${base.at}`,
        ...flags,
        `life ${life}`,
        accepted,
        ...ends,
      ]
        .filter((part) => part !== '' && part !== false)
        .join(' ') + (told === null ? '' : ` told ${told.state}/${told.reason}`),
    );
  }
  for (const [at, happening] of history.log.entries()) {
    const who = happening.by === null ? '' : `w${happening.by} `;
    if (happening.what === 'arrival')
      lines.push(`${at} ${who}-> ${happening.call} ${happening.guard ?? ''} (${happening.fault})`);
    else
      lines.push(
        `${at} ${who}${happening.path}: ${JSON.stringify(happening.before)} => ${JSON.stringify(happening.after)}`,
      );
  }
  for (const { rule, wish, says } of findings) lines.push(`! ${rule}${wish === null ? '' : ` w${wish}`}: ${says}`);
  return lines.join('\n');
}
