import { SwinWeightsError } from '../errors.ts';

/**
 * Reads a whole file or address.
 *
 * @param source A path, a `file:`, `http:` or `https:` address, or a URL object. Paths need Node.
 * @returns Its bytes.
 * @throws {@link SwinWeightsError} if it cannot be read.
 */
export async function readBytes(source: string | URL): Promise<Uint8Array> {
  try {
    return isRemote(source) ? await fetchBytes(source) : await readLocal(source);
  } catch (cause) {
    if (cause instanceof SwinWeightsError) throw cause;
    const error = cause as Error;
    throw new SwinWeightsError(
      {
        what: `cannot read ${source}`,
        received: error.message,
        fix: 'check the path or address; a bundled program must bring the weights folder of @e3va/swin along',
      },
      { cause },
    );
  }
}

function isRemote(source: string | URL): boolean {
  return /^(https?|data|blob):/i.test(String(source)) || !nodeFs();
}

async function fetchBytes(source: string | URL): Promise<Uint8Array> {
  const response = await fetch(source);
  if (!response.ok) {
    throw new SwinWeightsError({
      what: `cannot read ${source}`,
      received: `HTTP status ${response.status} ${response.statusText}`,
      fix: 'check the address',
    });
  }
  return new Uint8Array(await response.arrayBuffer());
}

async function readLocal(source: string | URL): Promise<Uint8Array> {
  const path = /^file:/i.test(String(source)) ? new URL(source) : source;
  return new Uint8Array(await nodeFs()!.readFile(path));
}

/** Node's file system without an import, so that bundlers for browsers find nothing to resolve. */
function nodeFs(): typeof import('node:fs/promises') | undefined {
  const node = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process;
  return node?.getBuiltinModule?.('node:fs/promises') as typeof import('node:fs/promises') | undefined;
}
