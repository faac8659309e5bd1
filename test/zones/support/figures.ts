/** One line of what a test measured. */
export function tell(
  what: string,
  figures: Readonly<Record<string, number | string | readonly (number | string)[]>>,
): void {
  const facts = Object.entries(figures).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join(' ') : value}`,
  );
  console.log(`${what}: ${facts.join(', ')}`);
}

export function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? Number.NaN;
}

export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
