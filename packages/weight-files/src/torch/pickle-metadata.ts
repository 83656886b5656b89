import { asDict, PyObject } from './python-values.ts';
import { holdsTensors } from './state-dict.ts';
import { TorchTensor } from './torch-tensor.ts';

/** Most characters of all metadata of a checkpoint together. */
const maxMetadata = 1_000_000;

const maxDepth = 32;

/** Most characters that are made, those of values that turn out to be too large among them. */
const maxWork = 4 * maxMetadata;

interface Bound {
  left: number;
  work: number;
}

/** Thrown inside only: what is left of the bound does not suffice. */
class TooMuch extends Error {}

/**
 * What a checkpoint says beside its weights, as JSON by key: `meta`, `epoch`, `dataset_meta` and so on. What JSON does not have is
 * left out; keys whose value holds tensors, or would take the whole beyond a bound, too.
 *
 * @param top What the checkpoint holds.
 * @param weights The key that the weights were found under.
 */
export function metadataOf(top: unknown, weights: string | undefined): Record<string, string> {
  const found: [string, string][] = [];
  const bound = { left: maxMetadata, work: maxWork };
  const visits = { visits: 1_000_000 };
  const dict = asDict(top);
  for (const [key, value] of dict?.entries() ?? []) {
    if (typeof key !== 'string' || key === weights?.split('.')[0] || value instanceof TorchTensor) continue;
    if (holdsTensors(asDict(value), 0, visits)) continue;
    const before = bound.left;
    try {
      spend(bound, key.length);
      const json = toJson(value, bound, 0);
      if (json !== undefined) found.push([key, json]);
    } catch (error) {
      if (!(error instanceof TooMuch)) throw error;
      bound.left = before;
    }
  }
  if (weights !== undefined) found.push(['e3va.state_dict', weights]);
  return Object.fromEntries(found);
}

function spend(bound: Bound, cost: number): void {
  bound.left -= cost;
  bound.work -= cost;
  if (bound.left < 0 || bound.work < 0) throw new TooMuch();
}

function toJson(value: unknown, bound: Bound, depth: number): string | undefined {
  spend(bound, 1);
  if (depth > maxDepth) throw new TooMuch();
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (typeof value === 'string') {
    spend(bound, value.length);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => toJson(item, bound, depth + 1) ?? 'null').join()}]`;
  }
  const dict = asDict(value) ?? (value instanceof PyObject ? asDict(value.state) : undefined);
  if (!dict) return undefined;
  const items: string[] = [];
  for (const [key, item] of dict.entries()) {
    if (typeof key !== 'string' && typeof key !== 'number') continue;
    spend(bound, String(key).length + 4);
    const json = toJson(item, bound, depth + 1);
    if (json !== undefined) items.push(`${JSON.stringify(String(key))}:${json}`);
  }
  return `{${items.join()}}`;
}
