/** Query strings as bytes: every character stands for one byte, as the tests put arbitrary bytes into them. */
export function parseQuery(text) {
  const pairs = text
    .split('&')
    .filter(Boolean)
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [bytes(part), ''] : [bytes(part.slice(0, at)), bytes(part.slice(at + 1))];
    });
  return {
    has: (name) => pairs.some(([key]) => key === name),
    get: (name) => pairs.find(([key]) => key === name)?.[1],
    all: (name) => pairs.filter(([key]) => key === name).map(([, value]) => value),
    /** The first value of each name. */
    firsts: () => [...new Map([...pairs].reverse())].reverse(),
  };
}

export function toQuery(pairs) {
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
}

function bytes(text) {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function encode(text) {
  const escaped = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return escaped.replaceAll('%20', '+');
}
