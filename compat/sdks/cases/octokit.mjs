import { Octokit } from '@octokit/rest';

const issue = (number, more = {}) => ({ id: 1000 + number, number, title: `Issue ${number}`, ...more });
const slow = () => ({ delayMs: 5_000, json: {} });

const routes = {
  'GET /repos/o/r': () => ({
    json: { id: 1, full_name: 'o/r' },
    headers: { etag: '"abc"', 'x-ratelimit-remaining': '4999' },
  }),
  'GET /repos/o/missing': () => ({
    status: 404,
    json: { message: 'Not Found', documentation_url: 'https://docs.example.com' },
  }),
  'GET /repos/o/slow': slow,
  'GET /user': () => ({ status: 401, json: { message: 'Bad credentials' } }),
  'POST /repos/o/r/issues': ({ text, state }) => {
    state.made = (state.made ?? 0) + 1;
    return { status: 201, json: issue(state.made, { sent: text }) };
  },
  'PATCH /repos/o/r/issues/:number': ({ params, text }) => ({ json: issue(Number(params.number), JSON.parse(text)) }),
  'GET /repos/o/r/issues/:number': ({ params }) => ({ json: issue(Number(params.number), { state: 'open' }) }),
  'PUT /repos/o/r/contents/:path': ({ text }) => ({ status: 201, json: { content: { sha: 'f00' }, sent: text } }),
  'PUT /user/starred/o/r': () => ({ status: 204 }),
  'DELETE /repos/o/r': () => ({ status: 204 }),
  'POST /repos/o/r/forks': () => ({ status: 500, json: { message: 'Server Error' } }),
  'POST /repos/o/r/labels': () => ({
    status: 422,
    json: { message: 'Validation Failed', errors: [{ resource: 'Label', code: 'already_exists', field: 'name' }] },
  }),
  'GET /repos/o/r/issues': ({ query, origin }) => {
    const page = Number(query.get('page') ?? 1);
    const next = `<${origin}/repos/o/r/issues?per_page=2&page=${page + 1}>; rel="next"`;
    return { json: [issue(page * 2), issue(page * 2 + 1)], headers: page < 3 ? { link: next } : {} };
  },
  'GET /repos/o/r/zipball/main': ({ origin }) => ({ status: 302, headers: { location: `${origin}/archive.zip` } }),
  'GET /archive.zip': () => ({ headers: { 'content-type': 'application/zip' }, text: 'PK-archive' }),
  'POST /repos/o/r/releases/1/assets': ({ body, headers, state }) => {
    state.made = (state.made ?? 0) + 1;
    return { status: 201, json: { id: state.made, size: body.length, type: headers['content-type'] } };
  },
  'POST /graphql': ({ text }) => ({ json: { data: { viewer: { login: 'me' }, sent: text } } }),
};

const repo = { owner: 'o', repo: 'r' };

const operations = [
  { name: 'get', run: (client) => client.repos.get(repo) },
  { name: 'get with an etag', run: (client) => client.repos.get({ ...repo, headers: { 'if-none-match': '"old"' } }) },
  { name: 'create', run: (client) => client.issues.create({ ...repo, title: 'Ü', labels: ['a', 'b'] }) },
  { name: 'update', run: (client) => client.issues.update({ ...repo, issue_number: 7, state: 'closed' }) },
  {
    name: 'put a file',
    run: (client) => client.repos.createOrUpdateFileContents({ ...repo, path: 'a.txt', message: 'm', content: 'aGk=' }),
  },
  { name: 'put without a body', run: (client) => client.activity.starRepoForAuthenticatedUser(repo) },
  { name: 'delete', run: (client) => client.repos.delete(repo) },
  { name: '404', run: (client) => client.repos.get({ owner: 'o', repo: 'missing' }) },
  { name: '422', run: (client) => client.issues.createLabel({ ...repo, name: 'bug' }) },
  { name: '500 to a write', only: 'none', run: (client) => client.repos.createFork(repo) },
  { name: '401', run: (client) => client.users.getAuthenticated() },
  { name: 'all pages', run: (client) => client.paginate(client.issues.listForRepo, { ...repo, per_page: 2 }) },
  { name: 'a redirect', run: (client) => client.repos.downloadZipballArchive({ ...repo, ref: 'main' }) },
  {
    name: 'upload',
    run: (client, { baseUrl }) =>
      client.repos.uploadReleaseAsset({
        ...repo,
        baseUrl,
        release_id: 1,
        name: 'a.bin',
        data: Buffer.from([1, 2, 0, 255]),
        headers: { 'content-type': 'application/octet-stream' },
      }),
  },
  { name: 'graphql', run: (client) => client.graphql('query { viewer { login } }') },
  {
    name: 'abort',
    only: 'none',
    run: (client) => client.request('GET /repos/o/slow', { request: { signal: AbortSignal.timeout(400) } }),
  },
  {
    name: 'abort with an own reason',
    only: 'none',
    run: (client) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new RangeError('enough')), 400);
      return client.request('GET /repos/o/slow', { request: { signal: controller.signal } });
    },
  },
];

const silent = () => undefined;

function make({ fetch, baseUrl }) {
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  return new Octokit({ auth: 'token-1', baseUrl, request: { fetch }, log });
}

export const cases = [{ name: 'octokit', seam: 'fetch', routes, operations, make }];
