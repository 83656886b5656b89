import type { Graph } from './graph/graph.ts';
import type { Node, Port } from './onnx/schema.ts';

/** What a graph gives: a tensor, and the name that it is to have. */
interface Result {
  name: string;
  tensor: string;
  dims: (number | string)[];
}

/**
 * Gives the outputs of a graph their names. A tensor is renamed wherever it stands; one that is given out twice, or is an input or a
 * constant, is given out through an operation that does nothing.
 */
export function nameOutputs(
  { nodes }: Graph,
  inputs: readonly Port[],
  results: readonly Result[],
): { nodes: Node[]; outputs: Port[] } {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const taken = new Set([...inputs.map(({ name }) => name), ...made]);
  const names = new Map<string, string>();
  const copies: Node[] = [];
  const outputs = results.map(({ name: wanted, tensor, dims }): Port => {
    let name = wanted;
    for (let i = 1; taken.has(name); i++) name = `${wanted}:${i}`;
    taken.add(name);
    if (made.has(tensor) && !names.has(tensor)) names.set(tensor, name);
    else
      copies.push({
        type: 'Identity',
        name: `${name}/Identity`,
        inputs: [tensor],
        outputs: [name],
        attributes: {},
      });
    // layers give float32; an input may be of another type
    const type = inputs.find((port) => port.name === tensor)?.type ?? 'float32';
    return { name, type, dims };
  });
  const renamed = (list: readonly string[]) => list.map((name) => names.get(name) ?? name);
  return {
    nodes: [...nodes, ...copies].map((node) => ({
      ...node,
      inputs: renamed(node.inputs),
      outputs: renamed(node.outputs),
    })),
    outputs,
  };
}
