import { E3vaError } from '@e3va/highway-grad';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Layer } from './copy-layer.ts';
import { isModel } from './flatten.ts';
import { type GraphNode, sortedNodes } from './graph.ts';

/** Which layers are taps: a pattern of their names, names, or a predicate. */
export type LayerPattern = RegExp | string | readonly string[] | ((layer: Layer) => boolean);

/** A pattern of layers matches nothing, or cannot be used on this model. */
export class TapError extends E3vaError {}

/** A tap: a layer's result that an adapter reads. */
export interface Tap {
  /** Name of the layer. */
  name: string;
  tensor: SymbolicTensor;
}

/**
 * The layers of a model that match a pattern, in the order of the graph.
 *
 * @throws {@link TapError} if nothing matches; the error lists the nearest names of the model.
 */
export function findTaps(model: LayersModel, pattern: LayerPattern): Tap[] {
  const nodes = sortedNodes(model.inputs, model.outputs);
  const wanted = matcher(pattern);
  const taps = nodes.filter((node) => wanted(node.layer)).map(asTap);
  const names = nodes.map((node) => node.layer.name);
  const missing = namesOf(pattern).filter((name) => !names.includes(name));
  if (taps.length > 0 && missing.length === 0) return taps;
  const given = missing.length > 0 ? missing.join(', ') : String(pattern);
  const inside = insideNested(model, missing.length > 0 ? matcher(missing) : wanted);
  if (inside) {
    throw new TapError({
      what: `'${inside.name}' stands inside the nested model '${inside.nested}' of model '${model.name}'`,
      expected: 'a layer of the model itself: a nested model is one layer',
      received: given,
      fix: 'adapt(flatten(model), …): flatten() puts the layers of nested models into the graph itself',
    });
  }
  throw new TapError({
    what: `no layer of model '${model.name}' matches ${given}`,
    expected: `a pattern of layer names; near ones are ${nearest(given, names).join(', ')}`,
    received: given,
    fix: 'print model.layers.map((l) => l.name), and choose a pattern such as /_add$/',
  });
}

/** The first layer inside a nested model that is wanted, and which model that is. */
function insideNested(
  model: LayersModel,
  wanted: (layer: Layer) => boolean,
): { name: string; nested: string } | undefined {
  for (const nested of model.layers.filter(isModel)) {
    const found = nested.layers.find(wanted);
    if (found) return { name: found.name, nested: nested.name };
    const deeper = insideNested(nested, wanted);
    if (deeper) return { ...deeper, nested: `${nested.name}/${deeper.nested}` };
  }
  return undefined;
}

function asTap({ layer, outputs }: GraphNode): Tap {
  if (outputs.length === 1) return { name: layer.name, tensor: outputs[0]! };
  throw new TapError({
    what: `layer '${layer.name}' cannot be a tap: it has ${outputs.length} outputs`,
    expected: 'layers with one output',
  });
}

/** The names in a pattern that lists names; none for other patterns. */
export const namesOf = (pattern: LayerPattern): string[] =>
  typeof pattern === 'string' ? [pattern] : Array.isArray(pattern) ? [...pattern] : [];

/** The predicate of a pattern. */
export function matcher(pattern: LayerPattern): (layer: Layer) => boolean {
  if (typeof pattern === 'function') return pattern;
  // test() on a copy: a pattern with the flag g or y would remember its last position
  if (pattern instanceof RegExp) return (layer) => new RegExp(pattern.source, pattern.flags).test(layer.name);
  const names = new Set(namesOf(pattern));
  return (layer) => names.has(layer.name);
}

/** Up to five names by edit distance to the letters of the pattern, digits being equal to each other. */
function nearest(pattern: string, names: string[]): string[] {
  const plain = (text: string) =>
    text
      .replace(/[^a-z0-9]+/gi, '')
      .replace(/\d+/g, '0')
      .toLowerCase();
  const target = plain(pattern);
  const unique = new Map(names.map((name) => [plain(name), name]));
  return [...unique]
    .map(([key, name]) => ({ name, distance: key.includes(target) ? 0 : editDistance(key, target) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 5)
    .map(({ name }) => name);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
