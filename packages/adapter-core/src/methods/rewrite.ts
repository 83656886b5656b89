import { E3vaError } from '@e3va/highway-grad';
import { type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { applyLayer, type Layer } from '../copy-layer.ts';
import { dependents, type GraphNode, sortedNodes } from '../graph.ts';
import { BaseLayer } from '../layers/base-layer.ts';
import { maskedTensors, readsMask } from '../masks.ts';
import { findTaps, type LayerPattern, TapError } from '../taps.ts';
import { HighwayInputs } from './highway-inputs.ts';
import { ownWeights } from './highway-layers.ts';
import type { InPlaceOptions } from './in-place-options.ts';
import type { MergeableLayer, Split } from './method.ts';
import { baseLevels } from './out-norms.ts';

/** A layer that a method adds has the name of a layer that is there already. */
export class LayerNameError extends E3vaError {}

/** What a method changes at one layer of the base, at each of its applications. */
export interface Edit {
  /** Stands in the layer's place, under its name. */
  replace?: Layer & MergeableLayer;
  /**
   * Follows the layer: takes its result, and what it read, and gives the new result.
   *
   * @param output What the layer, or what stands in its place, gave.
   * @param inputs What it read, in the adapted model.
   */
  after?: (output: SymbolicTensor, inputs: SymbolicTensor[]) => SymbolicTensor;
}

/**
 * The split of a method that works in place: the base's graph from the first edited layer on is built once more with
 * the edits, and stands on the tape; the rest of the base is the frozen half. Layers that are not edited keep their
 * names and weights and work in inference mode.
 *
 * @param base The model; it is not changed.
 * @param edits What changes, by layer of the base; layers that no chosen output needs are left out.
 * @param options Which outputs make the pyramid, and which layers of the base are trained as well.
 * @throws TapError if `alsoTrain` matches no layer that has weights, or one that is replaced.
 */
export function rewrite(
  base: LayersModel,
  changes: ReadonlyMap<Layer, Edit>,
  { levels, alsoTrain }: InPlaceOptions = {},
): Split {
  const edits = alsoTrain === undefined ? changes : withTrained(base, changes, alsoTrain);
  const chosen = baseLevels(base, levels);
  const ends = chosen.map(({ output }) => output);
  const nodes = sortedNodes(base.inputs, ends);
  const changed = changedBy(nodes, edits);
  const inputs = new HighwayInputs(base);
  const made = new Map<number, SymbolicTensor>();
  const current = (t: SymbolicTensor) => made.get(t.id) ?? inputs.of(t);
  const layerOf = placed(edits);
  for (const node of nodes.filter(({ outputs }) => outputs.some((t) => changed.has(t.id)))) {
    const given = node.inputs.map(current);
    const results = applyLayer(layerOf(node), given);
    const after = edits.get(node.layer)?.after;
    node.outputs.forEach((t, i) => {
      made.set(t.id, after && i === 0 ? after(results[0]!, given) : results[i]!);
    });
  }
  const outputs = ends.map(current);
  const { sources, inputs: starts } = inputs.sorted();
  const highway = model({ inputs: starts, outputs, name: 'highway' });
  checkNames(base, highway, edits);
  return {
    frozenOutputs: sources,
    highway,
    levels: chosen.map(({ index }) => index),
    taps: new Map(),
    ...(mergeable(edits) && { replaced: replacements(edits) }),
  };
}

/**
 * Ids of the tensors that are made anew: those behind the edited layers, and where one of them reads a mask, those behind the
 * layer that makes the mask, since the frozen half hands on no masks.
 */
function changedBy(nodes: GraphNode[], edits: ReadonlyMap<Layer, Edit>): Set<number> {
  const edited = nodes.filter(({ layer }) => edits.has(layer)).flatMap(({ outputs }) => outputs);
  const changed = dependents(nodes, edited);
  const masked = maskedTensors(nodes);
  const isChanged = ({ outputs }: GraphNode) => outputs.some((t) => changed.has(t.id));
  if (!nodes.some((node) => isChanged(node) && readsMask(node, masked, node.inputs))) return changed;
  const starts = nodes.filter(
    ({ inputs, outputs }) => outputs.some((t) => masked.has(t.id)) && !inputs.some((t) => masked.has(t.id)),
  );
  return dependents(nodes, [...edited, ...starts.flatMap(({ outputs }) => outputs)]);
}

/** The edits, and layers of the base that are trained themselves. */
function withTrained(
  base: LayersModel,
  edits: ReadonlyMap<Layer, Edit>,
  alsoTrain: LayerPattern,
): Map<Layer, Edit> {
  const all = new Map(edits);
  const names = new Set(findTaps(base, alsoTrain).map(({ name }) => name));
  for (const layer of base.layers.filter(({ name }) => names.has(name))) {
    const trained = ownWeights(layer);
    const edit = edits.get(layer);
    if (trained.length === 0 || edit?.replace) {
      throw new TapError({
        what: `alsoTrain: layer '${layer.name}' cannot be trained itself`,
        expected: 'a layer with weights, on which the method itself does not stand',
        received: edit?.replace ? 'a layer that the method replaces' : 'a layer without weights',
        fix: 'choose other layers for alsoTrain',
      });
    }
    all.set(layer, { ...edit, replace: new BaseLayer({ layer, trained }) });
  }
  return all;
}

/** What stands for each layer of the base; one for all applications of a layer. */
function placed(edits: ReadonlyMap<Layer, Edit>): (node: GraphNode) => Layer {
  const copies = new Map<Layer, Layer>();
  return ({ layer }) => {
    const replaced = edits.get(layer)?.replace ?? copies.get(layer);
    if (replaced) return replaced;
    const copy = new BaseLayer({ layer });
    copies.set(layer, copy);
    return copy;
  };
}

/** A method that only replaces layers, and adds none, can be merged. */
const mergeable = (edits: ReadonlyMap<Layer, Edit>) => [...edits.values()].every(({ after }) => !after);

const replacements = (edits: ReadonlyMap<Layer, Edit>) =>
  new Map([...edits].flatMap(([layer, { replace }]) => (replace ? [[layer.name, replace] as const] : [])));

function checkNames(base: LayersModel, highway: LayersModel, edits: ReadonlyMap<Layer, Edit>): void {
  const placedNames = new Set([...edits.values()].flatMap(({ replace }) => (replace ? [replace.name] : [])));
  const own = new Set(base.layers.map((layer) => layer.name));
  const clash = highway.layers.find(
    (layer) => own.has(layer.name) && !(layer instanceof BaseLayer) && !placedNames.has(layer.name),
  );
  if (!clash) return;
  throw new LayerNameError({
    what: `the method adds a layer '${clash.name}', but model '${base.name}' has a layer of that name`,
    fix: 'rename the layer of the base model',
  });
}
