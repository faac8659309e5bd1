/**
 * Node's own module of this name. Not imported: an import reads everything the module has, and on newer Nodes that loads the platform's
 * fetch and sets its dispatcher, before an application has called it.
 */
export const http = process.getBuiltinModule('node:http');
