import { sortedNodes } from '@e3va/adapter-core';
import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';

/**
 * A frozen half whose last layers pack taps into fewer bits: another engine computes what they read, and they work on the tfjs
 * backend.
 */
export interface Packing {
  /** What the other engine computes; each once. */
  sources: SymbolicTensor[];
  /** The frozen half's results from the sources' values, which it takes over. */
  pack(values: tf.Tensor[]): tf.Tensor[];
}

/** Which outputs of a model come from layers that pack. */
export function packingOf(model: LayersModel): Packing {
  const outputs = model.outputs as SymbolicTensor[];
  const packs = sortedNodes(model.inputs, outputs).filter(
    ({ layer, outputs: made }) =>
      layer.getClassName() === 'E3vaPackTap' && made.every((t) => outputs.some(({ id }) => id === t.id)),
  );
  const packed = new Map(packs.flatMap((node) => node.outputs.map((t) => [t.id, node] as const)));
  const sources: SymbolicTensor[] = [];
  for (const t of outputs) {
    const source = packed.get(t.id)?.inputs[0] ?? t;
    if (!sources.some(({ id }) => id === source.id)) sources.push(source);
  }
  const pack = (values: tf.Tensor[]): tf.Tensor[] => {
    const byId = new Map(sources.map((t, i) => [t.id, values[i]!]));
    for (const { layer, inputs, outputs: made } of packs) {
      const results = [layer.apply(byId.get(inputs[0]!.id)!) as tf.Tensor | tf.Tensor[]].flat();
      made.forEach((t, i) => {
        byId.set(t.id, results[i]!);
      });
    }
    const taps = outputs.map((t) => byId.get(t.id)!);
    for (const value of values) if (!taps.includes(value)) value.dispose();
    return taps;
  };
  return { sources, pack };
}
