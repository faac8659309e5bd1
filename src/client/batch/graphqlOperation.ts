/**
 * Comments, texts, names and braces of a document; all else says nothing of its kind. A text without an end goes as far as one can, so
 * that none is looked for twice.
 */
const TOKEN = /#[^\n\r]*|"""(?:[^"\\]|\\.|"(?!""))*(?:""")?|"(?:[^"\\\n\r]|\\.)*"?|[_A-Za-z]\w*|[{}()[\]]/gs;

/** Longer documents are not looked into. */
const MAX_LENGTH = 262_144;

/**
 * The strongest kind of operation in a document: a mutation wherever there is one, whichever `operationName` picks. What cannot be read
 * counts as a mutation.
 */
export function graphqlOperation(document: string): 'query' | 'mutation' | 'subscription' {
  if (document.length > MAX_LENGTH) return 'mutation';
  let depth = 0;
  let isStart = true; // of a definition
  const kinds = new Set<string>();
  for (const [token] of document.matchAll(TOKEN)) {
    if (token.startsWith('#')) continue;
    if ('{([['.includes(token)) {
      if (token === '{' && isStart) kinds.add('query');
      depth += 1;
      isStart = false;
    } else if ('})]'.includes(token)) {
      depth -= 1;
      isStart = depth === 0 && token === '}';
    } else if (isStart && !token.startsWith('"')) {
      kinds.add(token);
      isStart = false;
    }
  }
  if (kinds.has('subscription')) return 'subscription';
  const isReadable = depth === 0 && [...kinds].every((kind) => kind === 'query' || kind === 'fragment');
  return isReadable && kinds.has('query') ? 'query' : 'mutation';
}
