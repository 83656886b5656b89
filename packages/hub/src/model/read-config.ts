import { HubModelError } from '../errors.ts';
import { fs } from '../node.ts';
import type { ModelStore } from './model-store.ts';

/** Largest config.json that is read: those of Hugging Face have some ten kilobytes. */
const largestConfig = 4 * 2 ** 20;

/** Reads the config.json of a model; undefined if it has none. */
export async function readConfig(store: ModelStore): Promise<Record<string, unknown> | undefined> {
  const origin = await store.get('config.json', largestConfig);
  if (origin === undefined) return undefined;
  const size = typeof origin === 'string' ? (await fs().stat(origin)).size : origin.size;
  if (size > largestConfig) throw wrong(store, `${size} bytes`);
  const bytes = typeof origin === 'string' ? await fs().readFile(origin) : await origin.arrayBuffer();
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw wrong(store, 'what is no JSON', cause);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw wrong(store, Array.isArray(value) ? 'a list' : String(value).slice(0, 80));
}

function wrong({ name }: ModelStore, received: string, cause?: unknown): HubModelError {
  return new HubModelError(
    {
      what: `the config.json of ${name} is none`,
      expected: `a JSON object of at most ${largestConfig} bytes`,
      received,
      fix: 'save or download it again',
    },
    { cause },
  );
}
