import { HubModelError, HubOfflineError } from '../errors.ts';
import type { ModelStore } from './model-store.ts';

/** Names under which libraries save weights, the best first. */
export const usualNames = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/** A file of weights. */
export interface ChosenWeights {
  file: string;
  /** Its path or contents. */
  origin: string | Blob;
}

/**
 * Finds the weights of a model: the given file, else those under a usual name, else the only safetensors file, else the only `.pth`.
 *
 * @param names The usual names, the best first.
 * @throws {@link HubModelError} that lists what was found.
 */
export async function chooseWeights(
  store: ModelStore,
  given?: string,
  names: readonly string[] = usualNames,
): Promise<ChosenWeights> {
  if (given !== undefined) return named(store, given);
  for (const here of [true, false]) {
    // what is here already needs no request
    for (const file of names) {
      if (here && !(await store.has(file))) continue;
      const origin = await store.get(file);
      if (origin !== undefined) return { file, origin };
    }
  }
  const found = await store.list();
  for (const ending of ['.safetensors', '.pth']) {
    const fitting = found.filter((name) => name.toLowerCase().endsWith(ending));
    if (fitting.length > 1) throw several(store, fitting);
    if (fitting.length === 1) return named(store, fitting[0]!);
  }
  if (store.offline) throw notHere(store, 'weights');
  throw new HubModelError({
    what: `${store.name} has no weights`,
    expected: `${names.join(', ')}, or a single .safetensors or .pth file`,
    received: listed(found),
    fix: 'name the file by the option file, or take another model',
  });
}

async function named(store: ModelStore, file: string): Promise<ChosenWeights> {
  const origin = await store.get(file);
  if (origin !== undefined) return { file, origin };
  if (store.offline) throw notHere(store, file);
  throw new HubModelError({
    what: `${store.name} has no file ${file}`,
    received: listed(await store.list()),
    fix: 'name one of its files',
  });
}

function several(store: ModelStore, names: readonly string[]): HubModelError {
  return new HubModelError({
    what: `${store.name} has several weight files`,
    received: listed(names),
    fix: 'name one of them by the option file',
  });
}

function notHere({ name }: ModelStore, what: string): HubOfflineError {
  return new HubOfflineError({
    what: `${what} of ${name} are not in the cache, and the offline mode is on`,
    fix: 'load the model once without HF_HUB_OFFLINE, or copy the cache of another machine',
  });
}

/** Names for a message: not too many. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return 'no files';
  const shown = names.slice(0, 20).map((name) => name.slice(0, 80).replace(/\p{C}/gu, '\u00b7'));
  return shown.join(', ') + (names.length > 20 ? ` and ${names.length - 20} more` : '');
}
