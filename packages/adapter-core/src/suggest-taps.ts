import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { blockEnds } from './block-ends.ts';
import { isModel } from './flatten.ts';
import { dependents, sortedNodes } from './graph.ts';
import type { Level } from './level.ts';
import { checkChannelsLast, MapGraph } from './map-graph.ts';
import { findResiduals, type Residual } from './residual.ts';
import { TapError } from './taps.ts';

/** Taps of one shape that follow each other. */
export interface SuggestedStage {
  taps: string[];
  channels: number;
  /** How many image pixels lie between two pixels of the map; undefined where the taps are no maps. */
  stride: number | undefined;
}

/** What {@link suggestTaps} proposes. */
export interface TapSuggestion {
  /** Names of the layers, for `e3va({ taps })`. */
  taps: string[];
  /** The taps by shape. */
  stages: SuggestedStage[];
  /** The last map at each stride, which a dense head (a detector, a decoder) would read. */
  levels: Level[];
  /** How the highway should pass from stage to stage, for `e3va({ transition })`. */
  transition: 'inherit' | 'pool-project';
  /** Why, in short sentences. */
  reasons: string[];
  /** Prints stages, levels and reasons. */
  summary(print?: (line: string) => void): void;
}

/**
 * Proposes taps for e3va on a model: the branches of its residual stream where it has one, else the last map of each of
 * its blocks. `e3va()` without `taps` takes the taps and the transition that are proposed here.
 *
 * Residual branches go with the transition `inherit`, unless the base's own layers between them would put more values on
 * the tape than the taps themselves several times over, as MobileNetV2's wide blocks without a shortcut do: then
 * the ends of those blocks are taps as well, with `pool-project`.
 *
 * @throws TapError if the model has neither a residual stream nor maps.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { layers, sequential } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { suggestTaps } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const conv = (name: string, filters: number, strides: number) =>
 *   layers.conv2d({ name, filters, strides, kernelSize: 3, activation: 'relu', inputShape: [32, 32, 3] });
 * const model = sequential({ layers: [conv('a', 8, 2), conv('b', 8, 1), conv('c', 16, 2), layers.flatten()] });
 * const suggestion = suggestTaps(model);
 * console.log(suggestion.taps, suggestion.transition); // [ 'a', 'b', 'c' ] pool-project
 * suggestion.summary(); // prints stages, levels and reasons
 * ```
 */
export function suggestTaps(model: LayersModel): TapSuggestion {
  checkChannelsLast(model);
  const graph = new MapGraph(model);
  const residuals = outermost(findResiduals(graph.nodes));
  const branches = residuals.flatMap((residual) => residual.branches);
  const load = tapeLoad(model, graph, branches);
  const transition = load <= heavy ? 'inherit' : 'pool-project';
  const blocks = blockEnds(graph, residuals);
  const ends = transition === 'inherit' ? [] : blocks.ends;
  const all = graph.inOrder([...branches, ...ends]);
  const { kept, fine } = transition === 'inherit' ? { kept: all, fine: 0 } : withoutFine(model, graph, all);
  if (kept.length === 0) throw nothingToTap(model, graph);
  const reasons = [
    branches.length === 0
      ? 'Nothing is added to a residual stream.'
      : `Branches are added to a residual stream (${branches.length}).`,
    ...(branches.length > 0 ? [transitionReason(transition, load)] : []),
    ...(ends.length > 0 ? [blocks.reason] : []),
    ...(fine > 0
      ? [`Maps of stride 1 and 2 are left out (${fine}): they are the largest and the least specific.`]
      : []),
  ];
  for (const name of new Set(nestedIn(graph).map((layer) => layer.name))) {
    reasons.push(
      `The nested model '${name}' is one layer here: flatten(model) puts its layers into the graph.`,
    );
  }
  const parts: Suggested = {
    taps: [...new Set(kept.map(nameOf))],
    stages: stagesOf(graph, kept),
    levels: levelsOf(model, graph, [...residuals.map((r) => afterActivation(graph, r)), ...blocks.ends]),
    transition,
    reasons,
  };
  return {
    ...parts,
    summary: (print = console.log) => {
      for (const line of linesOf(model.name, parts)) print(line);
    },
  };
}

type Suggested = Omit<TapSuggestion, 'summary'>;

/** Values of inherited layers for each value of the taps, above which inheriting is not worth it. */
const heavy = 2;

const nameOf = (t: SymbolicTensor) => t.sourceLayer.name;

/** The nested models that stand in the graph as one layer each. */
const nestedIn = (graph: MapGraph) => graph.nodes.map(({ layer }) => layer).filter(isModel);

/** Residuals that do not lie on a branch of another one: behind a tap, a further tap would not be seen. */
function outermost(residuals: Residual[]): Residual[] {
  const inside = new Set(residuals.flatMap((residual) => [...residual.inside]));
  return residuals.filter(({ node }) => node.outputs.every((t) => !inside.has(t.id)));
}

/** How many values the base's layers between the branches would put on the tape, for each value of the branches. */
function tapeLoad(model: LayersModel, graph: MapGraph, branches: SymbolicTensor[]): number {
  // a branch that something else reads as well is no pure addition to the stream
  if (branches.length === 0 || branches.some((t) => graph.readersOf(t).length !== 1)) {
    return Number.POSITIVE_INFINITY;
  }
  const tapped = new Set(branches.map((t) => t.id));
  const rest = sortedNodes([...model.inputs, ...branches], model.outputs);
  const highway = dependents(rest, branches);
  const inherited = rest.filter(
    ({ inputs, outputs }) => outputs.some((t) => highway.has(t.id)) && !inputs.some((t) => tapped.has(t.id)),
  );
  const values = (tensors: SymbolicTensor[]) => tensors.reduce((n, t) => n + graph.sizeOf(t), 0);
  return values(inherited.flatMap(({ outputs }) => outputs)) / values(branches);
}

/** Leaves out the finest maps where there are enough others, unless the model itself gives a map as fine. */
function withoutFine(model: LayersModel, graph: MapGraph, taps: SymbolicTensor[]) {
  const isFine = (t: SymbolicTensor) => graph.isMap(t) && graph.strideOf(t) < 4;
  const coarse = taps.filter((t) => !isFine(t));
  const strides = new Set(coarse.filter((t) => graph.isMap(t)).map((t) => graph.strideOf(t)));
  const kept = strides.size > 1 && !model.outputs.some(isFine) ? coarse : taps;
  return { kept, fine: taps.length - kept.length };
}

/** What a block with a shortcut hands on: the sum, or the activation behind it. */
function afterActivation(graph: MapGraph, { node }: Residual): SymbolicTensor {
  const sum = node.outputs[0]!;
  const readers = graph.readersOf(sum);
  const activated = readers.length === 1 && /activation|relu/i.test(readers[0]!.layer.getClassName());
  return activated ? readers[0]!.outputs[0]! : sum;
}

function stagesOf(graph: MapGraph, taps: SymbolicTensor[]): SuggestedStage[] {
  const stages: { shape: string; stage: SuggestedStage }[] = [];
  for (const t of taps) {
    const shape = graph.shapeOf(t).join('×');
    const last = stages.at(-1);
    if (last?.shape === shape) last.stage.taps.push(nameOf(t));
    else {
      const stride = graph.isMap(t) ? graph.strideOf(t) : undefined;
      stages.push({ shape, stage: { taps: [nameOf(t)], channels: graph.shapeOf(t).at(-1)!, stride } });
    }
  }
  return stages.map(({ stage }) => stage);
}

/** The last of `ends` at each stride; an output of the model goes before. */
function levelsOf(model: LayersModel, graph: MapGraph, ends: SymbolicTensor[]): Level[] {
  const byStride = new Map<number, Level>();
  for (const t of [...graph.inOrder(ends), ...graph.inOrder(model.outputs)].filter((t) => graph.isMap(t))) {
    const stride = graph.strideOf(t);
    byStride.set(stride, { name: nameOf(t), channels: graph.shapeOf(t).at(-1)!, stride });
  }
  return [...byStride.values()].sort((a, b) => a.stride - b.stride);
}

function transitionReason(transition: TapSuggestion['transition'], load: number): string {
  if (load === Number.POSITIVE_INFINITY)
    return 'Some branches have further readers, so the stream cannot be cut off there.';
  const times = `${load.toFixed(1)} times as many values on the tape as the taps`;
  return transition === 'inherit'
    ? `The base's own layers between the branches put ${times}: they are inherited.`
    : `The base's own layers between the branches would put ${times}: the change is pooled and projected instead.`;
}

function linesOf(name: string, { taps, stages, levels, transition, reasons }: Suggested): string[] {
  const ends = (names: string[]) => (names.length < 3 ? names.join(', ') : `${names[0]} … ${names.at(-1)}`);
  const at = (stride: number | undefined) => (stride === undefined ? '' : `, stride ${stride}`);
  return [
    `Taps for model '${name}': ${taps.length} in ${stages.length} stages, transition ${transition}`,
    ...stages.map(
      (stage, i) =>
        `  stage ${i}: ${stage.taps.length} of ${stage.channels} channels${at(stage.stride)}: ${ends(stage.taps)}`,
    ),
    ...levels.map((level) => `  level: ${level.name}, ${level.channels} channels, stride ${level.stride}`),
    ...reasons.map((reason) => `  ${reason}`),
  ];
}

function nothingToTap(model: LayersModel, graph: MapGraph): TapError {
  return new TapError({
    what: `model '${model.name}' has nothing that could be a tap`,
    expected: 'a residual stream, or convolutions that make maps [batch, height, width, channels]',
    fix:
      nestedIn(graph).length > 0
        ? 'adapt(flatten(model), …): flatten() puts the layers of nested models into the graph itself'
        : 'name the taps yourself: e3va({ taps })',
  });
}
