/** For the processes of tests: many requests as a list, whose answers `outcomes` reads. */
export function listAdapter(outcomes) {
  return {
    name: 'list',
    maxItems: 100,
    carriesHeaders: true,
    key: () => '',
    compose: (members) => ({
      method: 'POST',
      path: '/batch',
      headers: [],
      body: JSON.stringify(members.map(({ id, method, path, headers, body }) => ({ id, method, path, headers, body }))),
    }),
    outcomes,
  };
}
