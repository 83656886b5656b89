import { E3vaError } from './errors.ts';

/** Something that only Node can do was asked for in a browser or another engine. */
export class NodeOnlyError extends E3vaError {}

/** The modules of Node that the packages use. */
export interface NodeModules {
  'node:crypto': typeof import('node:crypto');
  'node:fs': typeof import('node:fs');
  'node:fs/promises': typeof import('node:fs/promises');
  'node:os': typeof import('node:os');
  'node:path': typeof import('node:path');
  'node:zlib': typeof import('node:zlib');
}

/**
 * A module of Node without an import of it, so that bundlers for browsers find nothing to resolve.
 *
 * @returns Undefined outside Node 20.16 and later.
 */
export function nodeModule<K extends keyof NodeModules>(id: K): NodeModules[K] | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  return process?.getBuiltinModule?.(id) as NodeModules[K] | undefined;
}

/**
 * The same where nothing else will do.
 *
 * @param instead What to do outside Node, for the message.
 * @throws {@link NodeOnlyError} outside Node.
 */
export function requireNodeModule<K extends keyof NodeModules>(id: K, instead?: string): NodeModules[K] {
  const found = nodeModule(id);
  if (found) return found;
  throw new NodeOnlyError({
    what: `reading and writing files needs ${id}`,
    expected: 'Node 20.16 or newer',
    received: 'an engine without it',
    fix: instead,
  });
}
