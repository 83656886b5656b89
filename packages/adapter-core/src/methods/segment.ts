import type * as tf from '@tensorflow/tfjs-core';
import { input, type LayersModel, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { applyLayer, copyLayer, type Layer } from '../copy-layer.ts';
import { FrozenHalf } from '../frozen-half.ts';
import { sortedNodes } from '../graph.ts';
import { maskedTensors, readsMask } from '../masks.ts';
import { TapError } from '../taps.ts';

/** A part of a base model that can be run again: what it starts from, and the part itself. */
export interface Segment {
  /** Tensors of the base, in the order of the half's inputs. */
  starts: SymbolicTensor[];
  half: FrozenHalf;
}

/**
 * The part of a base between some of its tensors and others, in copies of its layers that share its weights' memory.
 *
 * @param frontier Tensors that the part may start from, if it needs them; together they must cut all ways to the ends.
 * @param prefix Goes in front of the names of the copies.
 * @throws TapError if a layer of the part reads a mask: masks are not kept.
 */
export function segment(
  base: LayersModel,
  frontier: SymbolicTensor[],
  ends: SymbolicTensor[],
  prefix: string,
): Segment {
  const nodes = sortedNodes(frontier, ends);
  checkMasks(base, nodes);
  const read = new Set(nodes.flatMap(({ inputs }) => inputs.map((t) => t.id)));
  const starts = frontier.filter((t) => read.has(t.id));
  const made = new Map(
    starts.map((t, i) => [
      t.id,
      input({ shape: t.shape.slice(1), dtype: t.dtype, name: `${prefix}.start${i}` }),
    ]),
  );
  const inputs = [...made.values()];
  const copies = new Map<Layer, Layer>();
  for (const node of nodes) {
    const copy = copies.get(node.layer) ?? blank(node.layer, `${prefix}.${node.layer.name}`);
    copies.set(node.layer, copy);
    const results = applyLayer(
      copy,
      node.inputs.map((t) => made.get(t.id)!),
    );
    node.outputs.forEach((t, i) => {
      made.set(t.id, results[i]!);
    });
  }
  for (const [layer, copy] of copies) {
    if (layer.weights.length > 0) copy.setWeights(layer.getWeights() as tf.Tensor[]);
  }
  return {
    starts,
    half: new FrozenHalf(
      inputs,
      ends.map((t) => made.get(t.id)!),
    ),
  };
}

function blank(layer: Layer, name: string): Layer {
  const copy = copyLayer(layer, name);
  copy.setFastWeightInitDuringBuild(true);
  return copy;
}

function checkMasks(base: LayersModel, nodes: ReturnType<typeof sortedNodes>): void {
  const masked = maskedTensors(sortedNodes([], base.outputs));
  const reader = nodes.find((node) => readsMask(node, masked, node.inputs));
  if (!reader) return;
  throw new TapError({
    what: `layer '${reader.layer.name}' (${reader.layer.getClassName()}) reads a mask, so that it cannot be run again alone`,
    expected: "for savedTaps 'recompute', layers without masks in front of the taps",
    fix: "use e3va({ savedTaps: 'int8' })",
  });
}
