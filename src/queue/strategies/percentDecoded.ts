/** What a part of a URL means; undefined where its escapes are none (a stray %, or no UTF-8). */
export function percentDecoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
