/** How axios writes parameters, where it is told (`paramsSerializer`). */
export interface ParamsOptions {
  readonly encode?: ((value: string, encode: (value: string) => string) => string) | undefined;
  readonly serialize?: ((params: unknown, options: unknown) => string) | undefined;
  /** `a[0]=`, `a[]=` or `a=`. @default false: `a[]=` */
  readonly indexes?: boolean | null | undefined;
  /** `a.b=` instead of `a[b]=`. @default false */
  readonly dots?: boolean | undefined;
}

export interface AxiosTarget {
  readonly url?: string | undefined;
  readonly baseURL?: string | undefined;
  readonly allowAbsoluteUrls?: boolean | undefined;
  readonly params?: unknown;
  readonly paramsSerializer?: unknown;
}

/** The URL of a call as axios puts it together: base, path and parameters. */
export function urlOf({ url = '', baseURL, allowAbsoluteUrls, params, paramsSerializer }: AxiosTarget): string {
  const isRelative = !/^(?:[a-z][a-z\d+.-]*:)?\/\//i.test(url);
  const isJoined = baseURL !== undefined && baseURL !== '' && (isRelative || allowAbsoluteUrls === false);
  const whole = isJoined ? join(baseURL, url) : url;
  const query = params === undefined || params === null ? '' : queryOf(params, paramsSerializer);
  if (query === '') return whole;
  const [start = ''] = whole.split('#', 1);
  return `${start}${start.includes('?') ? '&' : '?'}${query}`;
}

function join(base: string, path: string): string {
  return path === '' ? base : `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`;
}

function queryOf(params: unknown, serializer: unknown): string {
  const given = typeof serializer === 'function' ? { serialize: serializer } : serializer;
  const options = (given ?? {}) as ParamsOptions; // axios has checked it
  if (options.serialize !== undefined) return options.serialize(params, options);
  if ('visitor' in options) throw new TypeError('paramsSerializer.visitor cannot be followed here: use serialize');
  if (params instanceof URLSearchParams) return params.toString();
  const { encode } = options;
  const write = (text: string): string => (encode === undefined ? escaped(text) : encode(text, escaped));
  const pairs: string[] = [];
  collect(params as object, [], options, (name, value) => pairs.push(`${write(name)}=${write(text(value))}`));
  return pairs.join('&');
}

/** Every value under its name; null and undefined are left out. Flat arrays of the first level have a way of their own. */
function collect(
  holder: object,
  path: readonly string[],
  options: ParamsOptions,
  add: (name: string, value: unknown) => void,
): void {
  const { indexes = false, dots = false } = options;
  const nameOf = (parts: readonly string[]): string =>
    parts.map((part) => part.replace(/\[\]$/, '')).reduce((all, part) => (dots ? `${all}.${part}` : `${all}[${part}]`));
  for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
    if (value === undefined || value === null) continue;
    const isTop = path.length === 0;
    const name = key.trim();
    if (isTop && typeof value === 'object' && name.endsWith('{}')) add(name, JSON.stringify(value));
    else if (isTop && Array.isArray(value) && (name.endsWith('[]') || !value.some(isNested))) {
      const base = name.replace(/\[\]$/, '');
      for (const [index, one] of value.entries()) {
        if (one === undefined || one === null) continue;
        add(indexes === null ? base : indexes ? nameOf([base, String(index)]) : `${base}[]`, one);
      }
    } else if (isNested(value)) collect(value, [...path, name], options, add);
    else add(isTop ? name : nameOf([...path, name]), value);
  }
}

function isNested(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === null || prototype === Object.prototype;
}

function text(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

/** Percent-encoded but for what is legible in a query. */
function escaped(value: string): string {
  const legible: Readonly<Record<string, string>> = { '%3A': ':', '%24': '$', '%2C': ',', '%20': '+' };
  return encodeURIComponent(value).replace(/%(?:3A|24|2C|20)/g, (code) => legible[code] ?? code);
}
