/** A module of Node without an import, so that bundlers for browsers find nothing to resolve; undefined elsewhere. */
function builtin(id: string): unknown {
  const node = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process;
  return node?.getBuiltinModule?.(id);
}

/** Whether files can be read and written: Node, and not a browser. */
export function isNode(): boolean {
  return builtin('node:fs/promises') !== undefined;
}

/** Node's file system; only called where {@link isNode}. */
export function fs(): typeof import('node:fs/promises') {
  return builtin('node:fs/promises') as typeof import('node:fs/promises');
}

/** Node's paths. */
export function path(): typeof import('node:path') {
  return builtin('node:path') as typeof import('node:path');
}

/** Node's description of the machine. */
export function os(): typeof import('node:os') {
  return builtin('node:os') as typeof import('node:os');
}

/** Node's checksums. */
export function crypto(): typeof import('node:crypto') {
  return builtin('node:crypto') as typeof import('node:crypto');
}

/** The code of an error of the file system, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
