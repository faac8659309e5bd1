/** Applies what a URL asks for in `?pipe=header(name,value,append)|status(code)` to an answer. */
export function applyPipes(reply, pipe) {
  let result = reply;
  for (const [, name, args] of pipe.matchAll(/(\w+)\(((?:\\.|[^)\\])*)\)/g)) {
    const [first, second = '', append] = splitArguments(args);
    if (name === 'status') result = { ...result, status: Number(first) };
    if (name === 'header')
      result = { ...result, headers: withHeader(result.headers, [first, second], append === 'True') };
  }
  return result;
}

function withHeader(headers, header, append) {
  if (append) return [...headers, header];
  const lower = header[0].toLowerCase();
  return [...headers.filter(([name]) => name.toLowerCase() !== lower), header];
}

/** A backslash takes the next character as it is. */
function splitArguments(text) {
  const parts = [''];
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '\\') parts[parts.length - 1] += text[++index] ?? '';
    else if (text[index] === ',') parts.push('');
    else parts[parts.length - 1] += text[index];
  }
  return parts.map((part) => part.trim());
}
