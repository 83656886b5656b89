import type { Graph } from './graph.ts';
import type { Value } from './value.ts';

/** x Φ(x), exactly. */
export function gelu(graph: Graph, x: string): string {
  if (graph.opset >= 20) return graph.node('Gelu', [x]);
  // in this order ONNX Runtime makes one operation of it
  const erf = graph.node('Erf', [graph.node('Div', [x, graph.float(Math.SQRT2)])]);
  const twice = graph.node('Mul', [x, graph.node('Add', [erf, graph.float(1)])]);
  return graph.node('Mul', [twice, graph.float(0.5)]);
}

/** min(max(x, low), high). */
export const clip = (graph: Graph, x: string, low: number, high?: number): string =>
  graph.node('Clip', [x, graph.float(low), ...(high === undefined ? [] : [graph.float(high)])]);

/** x Φ(x) by its approximation with the hyperbolic tangent. */
function geluNew(graph: Graph, x: string): string {
  const cube = graph.node('Mul', [graph.node('Mul', [x, x]), x]);
  const inner = graph.node('Add', [x, graph.node('Mul', [cube, graph.float(0.044715)])]);
  const tanh = graph.node('Tanh', [graph.node('Mul', [inner, graph.float(Math.sqrt(2 / Math.PI))])]);
  const twice = graph.node('Mul', [x, graph.node('Add', [tanh, graph.float(1)])]);
  return graph.node('Mul', [twice, graph.float(0.5)]);
}

type Entrywise = (graph: Graph, x: string) => string;

const plain =
  (type: string): Entrywise =>
  (graph, x) =>
    graph.node(type, [x]);

/** Activations that work on each entry alone, by their names in Keras. */
const entrywise: Record<string, Entrywise> = {
  linear: (_, x) => x,
  relu: plain('Relu'),
  relu6: (graph, x) => clip(graph, x, 0, 6),
  elu: plain('Elu'),
  selu: plain('Selu'),
  sigmoid: plain('Sigmoid'),
  hardsigmoid: plain('HardSigmoid'),
  softplus: plain('Softplus'),
  softsign: plain('Softsign'),
  tanh: plain('Tanh'),
  gelu,
  gelunew: geluNew,
  swish: (graph, x) => graph.node('Mul', [x, graph.node('Sigmoid', [x])]),
  mish: (graph, x) => graph.node('Mul', [x, graph.node('Tanh', [graph.node('Softplus', [x])])]),
};

/** Activations over the last axis. */
const overChannels: Record<string, string> = { softmax: 'Softmax', logsoftmax: 'LogSoftmax' };

/** An activation by its name in Keras, in camel or snake case; undefined if it is not known. */
export function activate(graph: Graph, name: string, x: Value): Value | undefined {
  const key = name.replaceAll('_', '').toLowerCase();
  const each = entrywise[key];
  if (each) return graph.map(x, (tensor) => each(graph, tensor));
  const type = overChannels[key];
  return type === undefined ? undefined : graph.value(graph.node(type, [x.tensor], { axis: -1 }), x.shape);
}
