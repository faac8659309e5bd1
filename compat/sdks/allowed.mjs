/**
 * Kinds of differences that are documented, at most two in all. Each names where it is seen and the SDKs' own lines that cause it.
 *
 * @type {readonly { sdk?: string, operation: string, path: RegExp, because: string, line: string }[]}
 */
export const ALLOWED = Object.freeze([
  {
    sdk: 'gaxios',
    operation: 'multipart',
    path: /^(log|refused)\.\d+\.headers\.(transfer-encoding|content-length)$/,
    because: 'A body given as a stream is read before the request is stored, so its length is known when it is sent.',
    line: 'gaxios 7.3.1, src/gaxios.ts: opts.body = Readable.from(this.getMultipartRequest(opts.multipart, boundary))',
  },
  {
    operation: '500 to a write',
    path: /\.headers\.(x|stripe)-should-retry$|^log\.[12]$/,
    because:
      'An answer that the queue has done with says so, in a header, to SDKs that would retry it (`noRetryHeaders`).',
    line: "openai 6.46.0, src/client.ts: if (shouldRetryHeader === 'false') return false",
  },
]);

export const MAX_ALLOWED = 2;

export function isAllowed({ sdk, operation, path }) {
  return ALLOWED.some((one) => (one.sdk ?? sdk) === sdk && one.operation === operation && one.path.test(path));
}
