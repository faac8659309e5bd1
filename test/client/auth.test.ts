import { describe, expect, it } from 'vitest';
import { apiKey } from '../../src/client/auth/apiKey.ts';
import { basicAuth } from '../../src/client/auth/basicAuth.ts';
import { bearerToken } from '../../src/client/auth/bearerToken.ts';
import { refreshingToken } from '../../src/client/auth/refreshingToken.ts';
import { holdfastError } from '../../src/errors.ts';
import type { Credential } from '../../src/queue/types/auth.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { deferred } from './support/servers.ts';

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return holdfastError(error)?.code;
  }
  return undefined;
}

function bearerOf(credential: Credential | Promise<Credential>): string | undefined {
  if (credential instanceof Promise) throw new Error('expected a credential at once');
  return credential.headers[0]?.[1];
}

describe('bearerToken', () => {
  it('gives a fixed token at once, always the same object, and cannot refresh it', () => {
    const auth = bearerToken('abc', { principal: 'ada' });
    const credential = auth.credential();
    expect(credential).toEqual({ headers: [['authorization', 'Bearer abc']], version: 1, principal: 'ada' });
    expect(auth.credential()).toBe(credential);
    expect(auth.refresh).toBeUndefined();
  });

  it('gives a new version only when its source gives another token', async () => {
    let token = 'a';
    const auth = bearerToken(() => token);
    expect(auth.credential()).toMatchObject({ version: 1 });
    expect(auth.credential()).toMatchObject({ version: 1 });
    token = 'b';
    expect(auth.credential()).toEqual({ headers: [['authorization', 'Bearer b']], version: 2, principal: undefined });
  });

  it('says after a refusal whether its source has another token by now', async () => {
    let token = 'a';
    const auth = bearerToken(() => token);
    await auth.credential();
    expect(await auth.refresh?.(1)).toBe(false);
    token = 'b';
    expect(await auth.refresh?.(1)).toBe(true);
  });

  it('waits for a source that needs time', async () => {
    const auth = bearerToken(() => Promise.resolve('later'));
    expect(auth.credential()).toBeInstanceOf(Promise);
    expect(await auth.credential()).toMatchObject({ headers: [['authorization', 'Bearer later']], version: 1 });
  });

  it.each(['', ' a', 'a\r\nb', 'snow\u2603'])('refuses the token %j without showing it', async (token) => {
    expect(codeOf(() => bearerToken(token))).toBe('CONFIG_INVALID');
    expect(codeOf(() => bearerToken(() => token).credential())).toBe('AUTH_REQUIRED');
    await expect(bearerToken(async () => token).credential()).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
    try {
      bearerToken('secret\n');
    } catch (error) {
      expect(JSON.stringify([error, String(error)])).not.toContain('secret');
    }
  });
});

describe('basicAuth', () => {
  it('encodes name and password in UTF-8 and is its user', () => {
    expect(basicAuth({ username: 'test', password: '123\u00a3' }).credential()).toEqual({
      headers: [['authorization', 'Basic dGVzdDoxMjPCow==']], // the example of RFC 7617 section 2.1
      version: 1,
      principal: 'test',
    });
  });

  it('refuses what would be read as something else', () => {
    expect(codeOf(() => basicAuth({ username: 'a:b', password: 'c' }))).toBe('CONFIG_INVALID');
    expect(codeOf(() => basicAuth({ username: 'a', password: 'c\n' }))).toBe('CONFIG_INVALID');
  });
});

describe('apiKey', () => {
  it('puts the key in its own header', () => {
    expect(apiKey({ header: 'X-Api-Key', value: 'k', principal: 'app' }).credential()).toEqual({
      headers: [['x-api-key', 'k']],
      version: 1,
      principal: 'app',
    });
  });

  it('refuses a name that is no header name', () => {
    expect(codeOf(() => apiKey({ header: 'x api', value: 'k' }))).toBe('CONFIG_INVALID');
    expect(codeOf(() => apiKey({ header: '', value: 'k' }))).toBe('CONFIG_INVALID');
  });
});

describe('refreshingToken', () => {
  it('refreshes once for all that were refused together, and keeps its principal', async () => {
    const refused: string[] = [];
    const next = deferred<string>();
    const auth = refreshingToken({
      token: 'old',
      principal: 'ada',
      refresh: (token) => {
        refused.push(token);
        return next.promise;
      },
    });
    expect(auth.credential()).toMatchObject({ version: 1, principal: 'ada' });
    const refreshes = [auth.refresh?.(1), auth.refresh?.(1), auth.refresh?.(1)];
    const meanwhile = auth.credential();
    next.resolve('new');
    expect(await Promise.all(refreshes)).toEqual([true, true, true]);
    expect(refused).toEqual(['old']);
    const credential = { headers: [['authorization', 'Bearer new']], version: 2, principal: 'ada' };
    expect(await meanwhile).toEqual(credential);
    expect(auth.credential()).toEqual(credential);
  });

  it('knows a newer token already when an older one is refused late', async () => {
    let count = 0;
    const auth = refreshingToken({ token: 't0', refresh: () => `t${++count}` });
    await auth.credential();
    expect(await auth.refresh?.(1)).toBe(true);
    expect(await auth.refresh?.(1)).toBe(true);
    expect(count).toBe(1);
    expect(bearerOf(auth.credential())).toBe('Bearer t1');
  });

  it('remembers a failed refresh for a while, tells of it, and then tries again', async () => {
    const clock = new FakeClock();
    const failures: unknown[] = [];
    let calls = 0;
    const auth = refreshingToken({
      token: 'old',
      clock,
      retryRefreshMs: 5_000,
      onRefreshFailed: (error) => failures.push(error),
      refresh: () => {
        calls += 1;
        if (calls === 1) throw new Error('login server down');
        return calls === 2 ? 'old' : 'new';
      },
    });
    await auth.credential();
    expect(await auth.refresh?.(1)).toBe(false);
    expect(await auth.refresh?.(1)).toBe(false);
    expect(calls).toBe(1);
    expect(bearerOf(auth.credential())).toBe('Bearer old');
    await clock.advance(5_000);
    expect(await auth.refresh?.(1)).toBe(false);
    expect(calls).toBe(2);
    await clock.advance(5_000);
    expect(await auth.refresh?.(1)).toBe(true);
    expect(bearerOf(auth.credential())).toBe('Bearer new');
    expect(failures.map(String)).toEqual([
      'Error: login server down',
      'Error: The refresh gave the refused token again.',
    ]);
  });

  it('asks the source of its first token once, and again if that failed', async () => {
    const answers = [Promise.reject(new Error('locked')), Promise.resolve('first')];
    let asked = 0;
    const auth = refreshingToken({
      token: () => answers[asked++] as Promise<string>,
      refresh: () => 'second',
    });
    const both = [auth.credential(), auth.credential()];
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await auth.credential()).toMatchObject({ version: 1 });
    expect(bearerOf(auth.credential())).toBe('Bearer first');
    expect(asked).toBe(2);
  });
});
