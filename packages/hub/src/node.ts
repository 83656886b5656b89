import { nodeModule, requireNodeModule } from '@e3va/highway-grad';

/** Whether files can be read and written: Node, and not a browser. */
export function isNode(): boolean {
  return nodeModule('node:fs/promises') !== undefined;
}

/** Node's file system; only called where {@link isNode}. */
export function fs(): typeof import('node:fs/promises') {
  return requireNodeModule('node:fs/promises');
}

/** Node's paths. */
export function path(): typeof import('node:path') {
  return requireNodeModule('node:path');
}

/** Node's description of the machine. */
export function os(): typeof import('node:os') {
  return requireNodeModule('node:os');
}

/** Node's checksums. */
export function crypto(): typeof import('node:crypto') {
  return requireNodeModule('node:crypto');
}

/** The code of an error of the file system, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
