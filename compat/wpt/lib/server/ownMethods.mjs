/**
 * Node's server takes only the methods it knows; the tests also send others, which fetch allows. Such a request arrives here as
 * the bytes the parser gave up on. They are small, so that one packet holds a request whole.
 *
 * @returns {{ method: string, url: string, rawHeaders: string[], body: Buffer } | undefined}
 */
export function parseOwnMethod(error) {
  if (error.code !== 'HPE_INVALID_METHOD' || !error.rawPacket) return undefined;
  const packet = error.rawPacket;
  const end = packet.indexOf('\r\n\r\n');
  const [first, ...lines] = packet.subarray(0, end).toString('latin1').split('\r\n');
  const match = /^(\S+) (\S+) HTTP\/1\.1$/.exec(first);
  if (end < 0 || !match) return undefined;
  const rawHeaders = lines.flatMap((line) => {
    const at = line.indexOf(':');
    return [line.slice(0, at), line.slice(at + 1).trim()];
  });
  return { method: match[1], url: match[2], rawHeaders, body: packet.subarray(end + 4) };
}
