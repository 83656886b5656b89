import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { applyLayer, type Layer, weightName } from '../copy-layer.ts';
import { type GraphNode, sortedNodes } from '../graph.ts';
import { BaseLayer } from '../layers/base-layer.ts';
import { maskedTensors, readsMask } from '../masks.ts';
import { type LayerPattern, matcher, namesOf, TapError } from '../taps.ts';

/** A layer behind the taps reads a mask, which the frozen half does not hand on. */
export class LostMaskError extends TapError {}

/** The base's own layers on a highway: each has the base's weights, and trains them if it is chosen by `alsoTrain`. */
export class HighwayLayers {
  private readonly base: LayersModel;
  private readonly pattern: LayerPattern | undefined;
  private readonly chosen: (layer: Layer) => boolean;
  private readonly placed = new Map<Layer, BaseLayer>();
  private readonly norms = new Set<Layer>();
  private readonly masked: ReadonlySet<number>;

  constructor(base: LayersModel, alsoTrain?: LayerPattern) {
    this.base = base;
    this.pattern = alsoTrain;
    this.chosen = alsoTrain === undefined ? () => false : matcher(alsoTrain);
    this.masked = maskedTensors(sortedNodes([], base.outputs));
  }

  /**
   * Puts the layer of a node on highway tensors; one layer for all its applications.
   *
   * @throws {@link LostMaskError} if the layer reads a mask, which ends with the frozen half.
   */
  apply(node: GraphNode, inputs: SymbolicTensor[]): SymbolicTensor[] {
    if (readsMask(node, this.masked, node.inputs)) throw maskLost(node);
    return applyLayer(this.of(node.layer), inputs);
  }

  private of(layer: Layer): BaseLayer {
    const known = this.placed.get(layer);
    if (known) return known;
    const trained = this.chosen(layer) ? ownWeights(layer) : [];
    const made = new BaseLayer({ name: `highway.${layer.name}`, layer, trained });
    this.placed.set(layer, made);
    return made;
  }

  /** Whether an out-norm is chosen by `alsoTrain`. */
  trainsNorm(norm: Layer): boolean {
    this.norms.add(norm);
    return this.chosen(norm);
  }

  /** @throws TapError if `alsoTrain` names a layer that does not stand on the highway, or matches none at all. */
  checkFound(): void {
    if (this.pattern === undefined) return;
    const layers = [...this.placed.keys(), ...this.norms];
    const names = new Set(layers.map((layer) => layer.name));
    const missing = namesOf(this.pattern).filter((name) => !names.has(name));
    const weightless = layers.filter((layer) => this.chosen(layer) && ownWeights(layer).length === 0);
    if (missing.length === 0 && layers.some((l) => this.chosen(l) && !weightless.includes(l))) return;
    const given = missing.length > 0 ? missing.join(', ') : String(this.pattern);
    const able = layers.filter((layer) => ownWeights(layer).length > 0).map((layer) => layer.name);
    throw new TapError({
      what: `alsoTrain: no layer of model '${this.base.name}' behind the taps that has weights matches ${given}`,
      expected:
        able.length > 0
          ? `layers that stand on the highway: ${able.slice(0, 8).join(', ')}`
          : 'a highway that takes layers of the base over; here it takes none that has weights',
      received: given,
    });
  }
}

/** The names of a layer's weights, less statistics that no training changes. */
export function ownWeights(layer: Layer): string[] {
  const statistic = (name: string) => /(^|\/)moving_(mean|variance)(_\d+)?$/.test(name);
  return layer.weights.map((w) => weightName(layer, w)).filter((name) => !statistic(name));
}

function maskLost({ layer }: GraphNode): LostMaskError {
  return new LostMaskError({
    what: `layer '${layer.name}' (${layer.getClassName()}) stands behind the taps and reads a mask`,
    expected: 'taps behind the last layer that reads the mask, since the frozen half hands on no masks',
    fix: `choose taps behind '${layer.name}'`,
  });
}
