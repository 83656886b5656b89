import { type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { dependents, type GraphNode, nodeOf, readerCounts, sortedNodes } from '../graph.ts';
import { type Tap, TapError } from '../taps.ts';
import type { E3vaConfig } from './e3va-config.ts';
import { HighwayInputs } from './highway-inputs.ts';
import { HighwayLayers } from './highway-layers.ts';
import type { Split } from './method.ts';
import { applyOutNorm, baseLevels } from './out-norms.ts';
import { Stages } from './stages.ts';

/** A point of the highway: a stream, and taps that are still to be added to it in one stage. */
interface Point {
  stream: SymbolicTensor;
  /** The base's own tensor that the stream stands for. */
  start: SymbolicTensor;
  taps: Tap[];
}

/**
 * The highway that inherits the base's own layers: the base's graph behind the taps is built once more, with every
 * tap cut off and read by an adapter. Additions of taps to the stream gather into stages; every other layer
 * (Swin's patch merging) is copied with its weights and stays frozen. With `feedback` the last taps are not cut off: their
 * branches are built once more too, and read the highway's stream.
 *
 * @throws TapError if a tap is not added to a residual stream, or has no way to an output but through other taps.
 */
export function inherit(base: LayersModel, taps: Tap[], config: E3vaConfig): Split {
  return new InheritedHighway(base, taps, config).split();
}

class InheritedHighway {
  private readonly base: LayersModel;
  private readonly config: E3vaConfig;
  /** The taps that are cut off, and those that are made on the highway. */
  private readonly taps: Map<number, Tap>;
  private readonly live: Map<number, Tap>;
  /** The base's graph between the taps and the chosen outputs, sorted. */
  private readonly rest: GraphNode[];
  private readonly onHighway: Set<number>;
  private readonly readers: Map<number, number>;
  private readonly inputs: HighwayInputs;
  private readonly points = new Map<number, Point>();
  private readonly stages: Stages;
  private readonly layers: HighwayLayers;

  constructor(base: LayersModel, taps: Tap[], config: E3vaConfig) {
    this.base = base;
    this.config = config;
    this.inputs = new HighwayInputs(base);
    this.layers = new HighwayLayers(base, config.alsoTrain);
    this.stages = new Stages(base, config, this.inputs);
    const byId = (list: Tap[]) => new Map(list.map((tap) => [tap.tensor.id, tap]));
    const cut = Math.max(0, taps.length - config.feedback);
    this.taps = byId(taps.slice(0, cut));
    this.live = byId(taps.slice(cut));
    const ends = baseLevels(base, config.levels).map(({ output }) => output);
    this.rest = sortedNodes([...base.inputs, ...taps.slice(0, cut).map(({ tensor }) => tensor)], ends);
    this.onHighway = dependents(
      this.rest,
      taps.map(({ tensor }) => tensor),
    );
    this.readers = readerCounts(this.rest);
    this.checkReached(ends);
  }

  split(): Split {
    const levels = baseLevels(this.base, this.config.levels);
    const outputs = levels.map((level) => {
      const chosen = level.norm !== null && this.layers.trainsNorm(level.norm);
      return applyOutNorm(level, this.finish(level.stream), chosen || this.config.outNorms === 'trainable');
    });
    this.layers.checkFound();
    const { sources, inputs } = this.inputs.sorted();
    return {
      frozenOutputs: sources,
      highway: model({ inputs, outputs, name: 'highway' }),
      levels: levels.map(({ index }) => index),
      taps: this.stages.taps,
    };
  }

  /** The stream of a tensor of the base, with every tap added. */
  private finish(tensor: SymbolicTensor): SymbolicTensor {
    const point = this.pointOf(tensor);
    if (point.taps.length === 0) return point.stream;
    const stream = this.stages.add({ ...point, end: tensor });
    const done = { stream, start: tensor, taps: [] };
    this.points.set(tensor.id, done);
    return stream;
  }

  private pointOf(tensor: SymbolicTensor): Point {
    const known = this.points.get(tensor.id);
    if (known) return known;
    const point = this.onHighway.has(tensor.id)
      ? this.build(tensor)
      : { stream: this.inputs.of(tensor), start: tensor, taps: [] };
    this.points.set(tensor.id, point);
    return point;
  }

  private build(tensor: SymbolicTensor): Point {
    if (this.taps.has(tensor.id)) throw this.noStream(this.taps.get(tensor.id)!);
    const node = nodeOf(tensor);
    const { layer, inputs, outputs } = node;
    const [tapped, others] = [
      inputs.filter((t) => this.taps.has(t.id)),
      inputs.filter((t) => !this.taps.has(t.id)),
    ];
    if (layer.getClassName() === 'Add' && tapped.length > 0 && others.length === 1) {
      // a stream that somebody else reads as well ends its stage there
      const shared = (this.readers.get(others[0]!.id) ?? 0) > 1;
      if (shared) this.finish(others[0]!);
      const before = this.pointOf(others[0]!);
      return { ...before, taps: [...before.taps, ...tapped.map((t) => this.taps.get(t.id)!)] };
    }
    const live = inputs.find((t) => this.live.has(t.id));
    if (live) return this.fedBack(node, live);
    if (tapped.length > 0) throw this.noStream(this.taps.get(tapped[0]!.id)!, layer.name);
    const results = this.layers.apply(
      node,
      inputs.map((t) => this.finish(t)),
    );
    outputs.forEach((output, i) => {
      this.points.set(output.id, { stream: results[i]!, start: output, taps: [] });
    });
    return this.points.get(tensor.id)!;
  }

  /** The addition of a branch that reads the highway: the branch once more, then its adapter. */
  private fedBack({ layer, inputs, outputs }: GraphNode, live: SymbolicTensor): Point {
    const tap = this.live.get(live.id)!;
    const others = inputs.filter((t) => t.id !== live.id);
    if (layer.getClassName() !== 'Add' || others.length !== 1) throw this.noStream(tap, layer.name);
    const stream = this.stages.addLive(this.finish(others[0]!), this.finish(live), tap);
    return { stream, start: outputs[0]!, taps: [] };
  }

  /** A tap that the chosen outputs need, but that only other taps can see, would never learn. */
  private checkReached(ends: SymbolicTensor[]): void {
    const needed = new Set(sortedNodes([], ends).flatMap(({ outputs }) => outputs.map((t) => t.id)));
    const direct = new Set([...this.readers.keys(), ...ends.map((t) => t.id)]);
    const dead = [...this.taps.values()].filter(
      ({ tensor }) => needed.has(tensor.id) && !direct.has(tensor.id),
    );
    if (dead.length === 0) return;
    throw new TapError({
      what: `no output of model '${this.base.name}' sees these taps except through other taps: ${dead.map((t) => t.name).join(', ')}`,
      expected: 'taps that are added to a residual stream, with no further tap on the way to an output',
      fix: "use e3va({ transition: 'pool-project' }), or taps of residual branches only",
    });
  }

  private noStream(tap: Tap, reader?: string): TapError {
    return new TapError({
      what: `tap '${tap.name}' is not added to a residual stream${reader ? `: '${reader}' reads it` : ''}`,
      expected: "for transition 'inherit', taps whose only reader is an Add of the stream and the tap",
      fix: "use e3va({ transition: 'pool-project' }), which fits any model, or other taps",
    });
  }
}
