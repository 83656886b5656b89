import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type GraphNode, nodeOf } from './graph.ts';

/** An Add of a residual stream and branches that leave the stream and come back to it. */
export interface Residual {
  /** The Add. */
  node: GraphNode;
  /** What the branches are added to: the stream itself, or its projection (ResNet's first block of a stage). */
  stream: SymbolicTensor;
  branches: SymbolicTensor[];
  /** Ids of the tensors on the branches and on the projection, the branches' ends included. */
  inside: Set<number>;
}

/**
 * The residual additions among `nodes`: an Add whose one input is an ancestor of the others, or a short projection of
 * an ancestor (one layer with a kernel at most). The others are the branches. An Add that merges maps of two
 * resolutions, as a feature pyramid does, is none.
 *
 * @param nodes The graph, sorted.
 */
export function findResiduals(nodes: GraphNode[]): Residual[] {
  const depths = depthsOf(nodes);
  const residuals: Residual[] = [];
  for (const node of nodes) {
    const distinct = new Set(node.inputs.map((t) => t.id)).size === node.inputs.length;
    if (node.layer.getClassName() !== 'Add' || !distinct) continue;
    const depth = (t: SymbolicTensor) => depths.get(t.id) ?? 0;
    const [stream, ...branches] = [...node.inputs].sort((a, b) => depth(a) - depth(b));
    const inside = insideOf(stream!, branches);
    if (inside) residuals.push({ node, stream: stream!, branches, inside });
  }
  return residuals;
}

/** The longest way from an input to each tensor, counted in layers. */
function depthsOf(nodes: GraphNode[]): Map<number, number> {
  const depths = new Map<number, number>();
  for (const { inputs, outputs } of nodes) {
    const depth = 1 + Math.max(0, ...inputs.map((t) => depths.get(t.id) ?? 0));
    for (const t of outputs) depths.set(t.id, depth);
  }
  return depths;
}

function insideOf(stream: SymbolicTensor, branches: SymbolicTensor[]): Set<number> | undefined {
  const ancestors = new Set(walkBack([stream]).map((t) => t.id));
  const branch = walkBack(branches, (t) => ancestors.has(t.id));
  const root = new Set(branch.filter((t) => ancestors.has(t.id)).map((t) => t.id));
  if (root.size === 0 || branches.some((t) => ancestors.has(t.id))) return undefined;
  const projection = walkBack([stream], (t) => root.has(t.id)).filter((t) => !root.has(t.id));
  if (projection.filter((t) => hasKernel(t)).length > 1) return undefined;
  const own = branch.filter((t) => !ancestors.has(t.id));
  // what comes back from a coarser map, as in a feature pyramid, is no branch
  if (own.some((t) => /upsampl|transpose|resiz/i.test(t.sourceLayer.getClassName()))) return undefined;
  return new Set([...own, ...projection].map((t) => t.id));
}

const hasKernel = (t: SymbolicTensor) =>
  t.sourceLayer.weights.some((w) => (w.originalName.split('/').at(-1) ?? '').includes('kernel'));

/** The tensors that `ends` depend on, `ends` included; does not go on behind a tensor that stops. */
function walkBack(ends: SymbolicTensor[], stops: (t: SymbolicTensor) => boolean = () => false) {
  const seen = new Map<number, SymbolicTensor>();
  const stack = [...ends];
  while (stack.length > 0) {
    const tensor = stack.pop()!;
    if (seen.has(tensor.id)) continue;
    seen.set(tensor.id, tensor);
    if (!stops(tensor)) stack.push(...nodeOf(tensor).inputs.filter((t) => t.id !== tensor.id));
  }
  return [...seen.values()];
}
