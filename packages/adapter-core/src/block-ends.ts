import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Layer } from './copy-layer.ts';
import { nodeOf } from './graph.ts';
import type { MapGraph } from './map-graph.ts';
import type { Residual } from './residual.ts';

/** Where the blocks of a model end that have no shortcut. */
export interface BlockEnds {
  ends: SymbolicTensor[];
  /** Why these; empty where there are none. */
  reason: string;
}

/**
 * The last maps of the blocks that have no shortcut. Concatenations end the blocks of Inception and DenseNet;
 * convolutions without an activation (linear bottlenecks) those of MobileNetV2 and EfficientNet. A plain chain has no
 * blocks: every convolution with its normalisation and activation is one.
 */
export function blockEnds(graph: MapGraph, residuals: Residual[]): BlockEnds {
  const joins = lastJoins(graph);
  if (joins.length > 1) return { ends: joins, reason: `Concatenations end the blocks (${joins.length}).` };
  const inside = new Set(residuals.flatMap((residual) => [...residual.inside]));
  const convolutions = graph.nodes
    .filter(({ layer, outputs }) => /conv2d/i.test(layer.getClassName()) && graph.isMap(outputs[0]!))
    .map(({ outputs }) => outputs[0]!)
    .filter((t) => !inside.has(t.id));
  const cuts = new Set(graph.cuts.map((t) => t.id));
  const onMain = convolutions.filter((t) => cuts.has(t.id)).map((t) => unitOf(graph, t));
  const linear = onMain.filter((unit) => unit.linear);
  // long shortcuts as in a U-Net, or several towers, leave few maps that all ways pass
  const one = onMain.length * 3 >= convolutions.length * 2;
  const some = one && linear.length * 5 >= onMain.length && linear.length < onMain.length;
  if (residuals.length > 0 || some) {
    // the first convolution of all is the stem, with or without activation
    const ends = linear.map(({ end }) => end).filter((end) => end.id !== onMain[0]?.end.id);
    const reason = `Convolutions without an activation end the blocks that have no shortcut (${ends.length}).`;
    return { ends, reason: ends.length > 0 ? reason : '' };
  }
  const units = one ? onMain : convolutions.map((t) => unitOf(graph, t));
  const ends = units.filter(({ depthwise }) => !depthwise).map(({ end }) => end);
  return { ends, reason: ends.length > 0 ? 'There are no blocks: every convolution ends one.' : '' };
}

/** The concatenations that all ways pass, less those that the next one takes up again (DenseNet). */
function lastJoins(graph: MapGraph): SymbolicTensor[] {
  const joins = graph.cuts.filter((t) => nodeOf(t).layer.getClassName() === 'Concatenate' && graph.isMap(t));
  const takenUp = new Set(joins.flatMap((join) => nodeOf(join).inputs.map((t) => t.id)));
  return joins.filter((join) => !takenUp.has(join.id));
}

/** A convolution with the normalisation, the activation and the dropout behind it. */
interface Unit {
  end: SymbolicTensor;
  /** Whether it has no activation. */
  linear: boolean;
  depthwise: boolean;
}

function unitOf(graph: MapGraph, convolution: SymbolicTensor): Unit {
  const { layer } = nodeOf(convolution);
  let end = convolution;
  let linear = !activates(layer);
  for (;;) {
    const readers = graph.readersOf(end);
    // x · sigmoid(x), as swish is written in model files, is an activation too
    if (readers.length > 1 && readers.some((reader) => isActivation(reader.layer))) linear = false;
    const [reader] = readers;
    if (readers.length !== 1 || !follows.test(reader!.layer.getClassName())) break;
    if (isActivation(reader!.layer)) linear = false;
    end = reader!.outputs[0]!;
  }
  return { end, linear, depthwise: layer.getClassName() === 'DepthwiseConv2D' };
}

/** Classes of layers that belong to the convolution in front of them. */
const follows = /norm|activation|relu|elu|dropout/i;

const isActivation = (layer: Layer) => {
  const kind = layer.getClassName();
  return kind === 'Activation' ? activates(layer) : /relu|elu/i.test(kind);
};

function activates(layer: Layer): boolean {
  const { activation } = layer.getConfig() as { activation?: unknown };
  return activation !== undefined && activation !== null && activation !== 'linear';
}
