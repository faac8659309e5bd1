/** Every subtest whose status is not the one it has with native fetch. */
export function differences(path, native, subject) {
  const names = new Set([...native.results.keys(), ...subject.results.keys()]);
  const found = [];
  for (const name of names) {
    const expected = native.results.get(name)?.status ?? 'MISSING';
    const got = subject.results.get(name)?.status ?? 'MISSING';
    if (expected === got) continue;
    const message = (subject.results.get(name) ?? native.results.get(name)).message;
    found.push({ path, name, expected, got, message });
  }
  return found;
}

export function countStatuses(runs) {
  const counts = {};
  for (const run of runs) {
    for (const [name, { status }] of run.results) {
      if (!name.startsWith('(file)')) counts[status] = (counts[status] ?? 0) + 1;
    }
  }
  return counts;
}

/** Splits differences into those that are allowed, with their reason, and the others. */
export function judge(found, allowed) {
  const reasons = new Map(
    allowed.flatMap(({ path, names, reason }) => names.map((name) => [`${path} ${name}`, reason])),
  );
  const rows = found.map((row) => ({ ...row, reason: reasons.get(`${row.path} ${row.name}`) }));
  return { allowed: rows.filter((row) => row.reason), others: rows.filter((row) => !row.reason) };
}
