/** Handlers that tell what came in. */

export const echoHandlers = {
  '/fetch/api/resources/echo-content.py': ({ method, header, body }) => ({
    headers: [
      ['X-Request-Method', method],
      ['X-Request-Content-Length', header('content-length', 'NO')],
      ['X-Request-Content-Type', header('content-type', 'NO')],
      ['Content-Type', 'text/plain'],
    ],
    body,
  }),

  '/fetch/api/resources/method.py': ({ method, query, header, body }) => {
    const headers = query.has('cors')
      ? [
          ['Access-Control-Allow-Origin', '*'],
          ['Access-Control-Allow-Credentials', 'true'],
          ['Access-Control-Allow-Methods', 'GET, POST, PUT, FOO'],
          ['Access-Control-Allow-Headers', 'x-test, x-foo'],
          ['Access-Control-Expose-Headers', 'x-request-method'],
        ]
      : [];
    headers.push(['x-request-method', method]);
    for (const part of ['type', 'length', 'encoding', 'language', 'location']) {
      headers.push([`x-request-content-${part}`, header(`content-${part}`, 'NO')]);
    }
    return { headers, body };
  },

  '/fetch/api/resources/inspect-headers.py': ({ query, header, headerNames }) => {
    const asked = (query.get('headers') ?? '').split('|').filter(Boolean);
    const headers = asked
      .filter((name) => header(name) !== undefined)
      .map((name) => [`x-request-${name}`, header(name)]);
    if (query.has('cors')) {
      headers.push(
        ['Access-Control-Allow-Origin', header('origin', '*')],
        ['Access-Control-Allow-Credentials', 'true'],
        ['Access-Control-Allow-Methods', 'GET, POST, HEAD'],
        ['Access-Control-Expose-Headers', asked.map((name) => `x-request-${name}`).join(', ')],
        ['Access-Control-Allow-Headers', query.get('allow_headers') ?? headerNames.join(', ')],
      );
    }
    return { headers: [...headers, ['content-type', 'text/plain']] };
  },

  '/fetch/api/resources/dump-authorization-header.py': ({ header }) => ({
    headers: [
      ['Content-Type', 'text/html'],
      ['Cache-Control', 'no-cache'],
      ['Access-Control-Allow-Origin', header('origin', '*')],
      ...(header('origin') === undefined ? [] : [['Access-Control-Allow-Credentials', 'true']]),
      ['Access-Control-Allow-Headers', 'Authorization'],
    ],
    body: header('authorization', 'none'),
  }),

  '/fetch/api/resources/authentication.py': ({ query, header }) => {
    const [scheme, encoded = ''] = header('authorization', '').split(' ');
    const credentials = Buffer.from(encoded, 'base64').toString('latin1');
    if (scheme.toLowerCase() === 'basic' && credentials === 'user:password') return { body: 'Authentication done' };
    return {
      status: 401,
      headers: [['WWW-Authenticate', `Basic realm="${query.get('realm') ?? 'test'}"`]],
      body: "Please login with credentials 'user' and 'password'",
    };
  },

  '/xhr/resources/echo-headers.py': ({ rawHeaders }) => ({
    headers: [
      ['Content-Type', 'text/plain'],
      ['Connection', 'close'],
    ],
    body: rawHeaders.map(([name, value]) => `${name}: ${value}\n`).join(''),
  }),

  '/xhr/resources/parse-headers.py': ({ query }) => ({
    headers: query.has('my-custom-header') ? [['My-Custom-Header', query.get('my-custom-header')]] : [],
  }),
};
