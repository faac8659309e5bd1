/**
 * The usual text of each status. Not imported: an import of `node:http` reads everything that module has, and of newer Nodes that
 * loads the platform's fetch and sets its dispatcher, before an application has called it.
 */
export const { STATUS_CODES } = process.getBuiltinModule('node:http');
