import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GROUPS } from './support/groups.ts';
import { createNaiveFetch } from './support/naiveFetch.ts';
import { Site } from './support/site.ts';
import type { Subject } from './support/subjects.ts';
import { SUBJECTS } from './support/subjects.ts';
import type { Case, Fetch, Group } from './support/types.ts';
import { within } from './support/within.ts';

const LIMIT_MS = 60_000;
/** The naive fetch waits for ever where others are aborted: that is known soon. */
const NAIVE_LIMIT_MS = 300;

async function run(one: Case, fetch: Fetch, limitMs: number): Promise<void> {
  const site = await Site.open();
  try {
    await within(limitMs, one.name, one.run(fetch, site));
  } finally {
    await site.close();
  }
}

function describeGroup({ name, cases }: Group, open: () => Promise<Subject>): void {
  describe(name, () => {
    let subject: Subject;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());

    for (const one of cases) it(one.name, () => run(one, subject.fetch, LIMIT_MS));
  });
}

for (const [name, open] of Object.entries(SUBJECTS)) {
  describe(`the fetch of ${name}`, () => {
    for (const group of GROUPS) describeGroup(group, open);
  });
}

describe('a naive fetch', () => {
  for (const { name, cases } of GROUPS) {
    it(`fails some of: ${name}`, async () => {
      const fetch = createNaiveFetch();
      const failed: string[] = [];
      for (const one of cases) await run(one, fetch, NAIVE_LIMIT_MS).catch(() => failed.push(one.name));
      expect(failed).not.toEqual([]);
    });
  }
});
