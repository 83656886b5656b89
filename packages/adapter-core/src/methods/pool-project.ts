import { type LayersModel, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type GraphNode, sortedNodes } from '../graph.ts';
import { HighwayStage } from '../layers/highway-stage.ts';
import { PoolProject } from '../layers/pool-project.ts';
import { MapGraph } from '../map-graph.ts';
import { type Tap, TapError } from '../taps.ts';
import { type E3vaConfig, stageConfig } from './e3va-config.ts';
import { HighwayInputs } from './highway-inputs.ts';
import { HighwayLayers } from './highway-layers.ts';
import type { Split } from './method.ts';
import { applyOutNorm, type BaseLevel, baseLevels } from './out-norms.ts';

/**
 * The highway for any model with maps: it carries the change alone, from zero. In a stage the adapters' changes are
 * added; between stages the change is pooled and projected; a level is the base's own map plus the change of the
 * last stage in front of it, through the out-norm if there is one.
 *
 * An output that is no map, as a classifier's, is made from the last maps in front of it, each with its change, by
 * the base's own layers behind them, frozen and in inference mode.
 *
 * @throws TapError if a tap is no map [batch, height, width, channels], or an output has no map in front of it.
 */
export function poolProject(base: LayersModel, taps: Tap[], config: E3vaConfig): Split {
  return new PooledHighway(base, config).split(taps);
}

/** A run of taps of one shape that see the same inputs of the base. */
interface Stage {
  taps: Tap[];
  shape: string;
  sees: ReadonlySet<number>;
}

/** The change that a stage has made. */
interface Change extends Stage {
  change: SymbolicTensor;
  /** The place of the stage's last tap in the base. */
  end: number;
  /** All changes that it takes up. */
  before: Set<Change>;
}

class PooledHighway {
  private readonly base: LayersModel;
  private readonly config: E3vaConfig;
  private readonly graph: MapGraph;
  private readonly inputs: HighwayInputs;
  private readonly layers: HighwayLayers;
  private readonly sees: Map<number, ReadonlySet<number>>;
  private readonly changes: Change[] = [];
  private readonly streams = new Map<number, SymbolicTensor>();

  constructor(base: LayersModel, config: E3vaConfig) {
    this.base = base;
    this.config = config;
    this.graph = new MapGraph(base);
    this.inputs = new HighwayInputs(base);
    this.layers = new HighwayLayers(base, config.alsoTrain);
    this.sees = seenInputs(this.graph);
  }

  split(taps: Tap[]): Split {
    const levels = baseLevels(this.base, this.config.levels);
    const tails = levels.map((level) => this.tailOf(level));
    for (const tap of taps) {
      if (!this.graph.isMap(tap.tensor)) throw this.notAMap(tap, tails);
    }
    const ends = [...new Set(tails.flatMap(({ maps }) => maps))];
    const last = Math.max(...ends.map((t) => this.placeOf(t)));
    const reached = taps.filter(({ tensor }) => this.placeOf(tensor) <= last);
    if (reached.length === 0) throw this.unreached(taps, ends);
    for (const stage of this.cutStages(reached)) this.addStage(stage);
    const outputs = levels.map((level, i) => this.outputOf(level, tails[i]!));
    this.layers.checkFound();
    const { sources, inputs } = this.inputs.sorted();
    return {
      frozenOutputs: sources,
      highway: model({ inputs, outputs, name: 'highway' }),
      levels: levels.map(({ index }) => index),
      taps: new Map(this.changes.map((c, i) => [`highway.stage${i}`, c.taps.map((tap) => tap.name)])),
    };
  }

  private placeOf = (t: SymbolicTensor) => this.inputs.order.get(t.id)!;

  /** Neighbouring taps of one shape share a stage. */
  private cutStages(taps: Tap[]): Stage[] {
    const stages: Stage[] = [];
    for (const tap of taps) {
      const shape = this.graph.shapeOf(tap.tensor).join('×');
      const sees = this.sees.get(tap.tensor.id)!;
      const last = stages.at(-1);
      if (last?.shape === shape && last.sees.size === sees.size && includes(last.sees, sees)) {
        last.taps.push(tap);
      } else stages.push({ taps: [tap], shape, sees });
    }
    return stages;
  }

  private addStage(stage: Stage): void {
    const index = this.changes.length;
    const taps = stage.taps.map((tap) => this.inputs.of(tap.tensor));
    const before = this.openChanges(stage.sees);
    const starts = before.map(({ change }, k) =>
      this.transition(change, taps[0]!, `highway.transition${index}${suffix(k)}`, 50_021 + index * 101 + k),
    );
    const layer = new HighwayStage({
      ...stageConfig(this.config, `highway.stage${index}`, index),
      skip: false,
      stream: starts.length > 0,
    });
    const change = layer.apply([...sum(starts, `highway.join${index}`), ...taps]) as SymbolicTensor;
    const all = new Set(before.flatMap((one) => [one, ...one.before]));
    this.changes.push({ ...stage, change, end: this.placeOf(stage.taps.at(-1)!.tensor), before: all });
  }

  /** The changes so far of maps that see no other inputs than these, less those that a later one has taken up. */
  private openChanges(sees: ReadonlySet<number>, place = Number.POSITIVE_INFINITY): Change[] {
    const able = this.changes.filter((c) => c.end <= place && includes(sees, c.sees));
    return able.filter((c) => !able.some(({ before }) => before.has(c)));
  }

  private transition(change: SymbolicTensor, reference: SymbolicTensor, name: string, salt: number) {
    const { rank, seed } = this.config;
    const layer = new PoolProject({ name, rank, seed: seed * 100_003 + salt });
    return layer.apply([change, reference]) as SymbolicTensor;
  }

  private outputOf(level: BaseLevel, tail: Tail): SymbolicTensor {
    const { output, stream, norm, index } = level;
    tail.maps.forEach((map, k) => {
      const { name } = (map.id === stream.id ? output : map).sourceLayer;
      this.addChanges(map, `${name}${suffix(map.nodeIndex)}`, 70_001 + index + 31 * k);
    });
    const current = (t: SymbolicTensor) => this.streams.get(t.id) ?? this.inputs.of(t);
    for (const node of tail.nodes) {
      const changed = node.inputs.some((t) => this.streams.has(t.id));
      if (!changed || node.outputs.every((t) => this.streams.has(t.id))) continue;
      const results = this.layers.apply(node, node.inputs.map(current));
      node.outputs.forEach((t, i) => {
        this.streams.set(t.id, results[i]!);
      });
    }
    const chosen = norm !== null && this.layers.trainsNorm(norm);
    return applyOutNorm(level, current(stream), chosen || this.config.outNorms === 'trainable');
  }

  /** Makes the stream of a map of the base: the map with the changes in front of it; the map itself if there are none. */
  private addChanges(map: SymbolicTensor, name: string, salt: number): void {
    if (this.streams.has(map.id)) return;
    const own = this.inputs.of(map);
    const shape = this.graph.shapeOf(map).join('×');
    const changes = this.openChanges(this.sees.get(map.id)!, this.placeOf(map)).map((one, k) =>
      one.shape === shape
        ? one.change
        : this.transition(one.change, own, `highway.to.${name}${suffix(k)}`, salt + 1009 * k),
    );
    this.streams.set(map.id, sum([own, ...changes], `highway.add.${name}`)[0]!);
  }

  /** What of the base stands behind the last maps in front of an output; the output itself, if it is a map. */
  private tailOf({ stream, output }: BaseLevel): Tail {
    const inTail = new Set([stream.id]);
    const readElsewhere = new Set<number>();
    const maps: SymbolicTensor[] = [];
    const nodes: GraphNode[] = [];
    for (const node of sortedNodes([], [stream]).reverse()) {
      const { inputs, outputs } = node;
      const read = outputs.filter((t) => inTail.has(t.id));
      if (read.length > 0 && outputs.every((t) => !this.graph.isMap(t) && !readElsewhere.has(t.id))) {
        if (inputs[0]?.id !== outputs[0]?.id) nodes.unshift(node);
        for (const t of inputs) inTail.add(t.id);
      } else {
        maps.push(...read.filter((t) => this.graph.isMap(t)));
        for (const t of inputs) readElsewhere.add(t.id);
      }
    }
    if (maps.length === 0) throw noMap(this.base, output);
    return { maps: this.graph.inOrder(maps), nodes };
  }

  private notAMap({ name, tensor }: Tap, tails: Tail[]): TapError {
    const behind = tails.find(({ nodes }) =>
      nodes.some(({ outputs }) => outputs.some((t) => t.id === tensor.id)),
    );
    const junction = behind?.maps.map((t) => `'${t.sourceLayer.name}'`).join(', ');
    return new TapError({
      what: behind ? `tap '${name}' stands behind the last map, ${junction}` : `tap '${name}' is no map`,
      expected:
        "for transition 'pool-project', taps of shape [batch, height, width, channels] with more than one pixel",
      received: `[${this.graph.shapeOf(tensor).join(', ')}] for one image`,
      fix: behind
        ? `choose taps up to ${junction}; to train '${name}' itself, use e3va({ alsoTrain: '${name}' })`
        : 'choose other taps: suggestTaps(model).summary() proposes some',
    });
  }

  private unreached(taps: Tap[], ends: SymbolicTensor[]): TapError {
    return new TapError({
      what: `no chosen output of model '${this.base.name}' stands behind these taps: ${taps.map((t) => t.name).join(', ')}`,
      expected: `taps up to ${ends.map((t) => t.sourceLayer.name).join(', ')}`,
      fix: 'choose taps in front of the outputs, or other outputs with the option levels',
    });
  }
}

/** The end of the base in front of one output: the last maps, and the nodes behind them, sorted. */
interface Tail {
  maps: SymbolicTensor[];
  nodes: GraphNode[];
}

/** The inputs of the base that each tensor depends on, by ids. */
function seenInputs({ nodes }: MapGraph): Map<number, ReadonlySet<number>> {
  const sees = new Map<number, ReadonlySet<number>>();
  for (const { inputs, outputs } of nodes) {
    const own = new Set(inputs.flatMap((t) => [...(sees.get(t.id) ?? [t.id])]));
    for (const t of outputs) sees.set(t.id, own.size > 0 ? own : new Set([t.id]));
  }
  return sees;
}

const includes = (all: ReadonlySet<number>, some: ReadonlySet<number>) =>
  [...some].every((id) => all.has(id));

/** The sum as a list of one tensor; an empty list for nothing. */
function sum(tensors: SymbolicTensor[], name: string): SymbolicTensor[] {
  if (tensors.length < 2) return tensors;
  return [layers.add({ name }).apply(tensors) as SymbolicTensor];
}

const suffix = (k: number) => (k > 0 ? `.${k}` : '');

function noMap(base: LayersModel, output: SymbolicTensor): TapError {
  return new TapError({
    what: `output '${output.sourceLayer.name}' of model '${base.name}' has no map in front of it`,
    expected: "for transition 'pool-project', a map [batch, height, width, channels] in front of each output",
    fix: 'choose taps that are added to a residual stream, or other outputs with the option levels',
  });
}
