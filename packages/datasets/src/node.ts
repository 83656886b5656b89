import { NodeOnlyError } from './errors.ts';

interface Builtins {
  'node:fs/promises': typeof import('node:fs/promises');
  'node:path': typeof import('node:path');
  'node:zlib': typeof import('node:zlib');
}

/**
 * A module of Node itself, fetched when needed: a bundle for the browser never sees an import of it.
 *
 * @throws NodeOnlyError outside Node.
 */
export function nodeModule<K extends keyof Builtins>(name: K): Builtins[K] {
  const found = typeof process === 'undefined' ? undefined : process.getBuiltinModule?.(name);
  if (!found) {
    throw new NodeOnlyError({
      what: `reading and writing files needs ${name}`,
      expected: 'Node 20.16 or newer',
      received: 'an engine without it',
      fix: 'in a browser decode images with createImageBitmap and pass the pixels on',
    });
  }
  return found as unknown as Builtins[K];
}

type SharpModule = typeof import('sharp');

/** The image library, loaded at first use. The name is passed as a value, so that bundlers leave it alone. */
export async function loadSharp(name = 'sharp'): Promise<SharpModule['default']> {
  const module: SharpModule = await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
  return module.default;
}
