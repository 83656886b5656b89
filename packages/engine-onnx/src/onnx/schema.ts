import { type LateBytes, Message } from './wire.ts';

/** The type of a tensor in a graph. */
export type ElementType = 'float32' | 'uint8' | 'int8' | 'int32' | 'int64' | 'bool' | 'float16';

/** The types' numbers in ONNX. */
const elementTypes: Record<ElementType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

/** An attribute of a node: a whole number, several of them, a text, or `{ float }`. */
export type Attribute = number | readonly number[] | string | { float: number };

/** One operation of a graph. */
export interface Node {
  type: string;
  name: string;
  /** Names of tensors; an empty name stands for an input that is left out. */
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

/** A constant tensor of a graph. */
export interface Initializer {
  name: string;
  type: ElementType;
  dims: readonly number[];
  data: LateBytes;
}

/** An input or output of a graph; sizes that are open have a name. */
export interface Port {
  name: string;
  type: ElementType;
  dims: readonly (number | string)[];
}

/** A graph with what a file says about it. */
export interface OnnxModel {
  opset: number;
  name: string;
  nodes: readonly Node[];
  initializers: readonly Initializer[];
  inputs: readonly Port[];
  outputs: readonly Port[];
}

/** A model as ONNX's ModelProto. Field numbers are those of onnx.proto. */
export function modelProto({ opset, name, nodes, initializers, inputs, outputs }: OnnxModel): Message {
  const graph = new Message();
  for (const node of nodes) graph.message(1, nodeProto(node));
  graph.string(2, name);
  for (const initializer of initializers) graph.message(5, tensorProto(initializer));
  for (const port of inputs) graph.message(11, valueInfo(port));
  for (const port of outputs) graph.message(12, valueInfo(port));
  return new Message()
    .integer(1, irVersion(opset))
    .string(2, 'e3va')
    .message(7, graph)
    .message(8, new Message().string(1, '').integer(2, opset));
}

/** The version of the file format that came with a version of the operators. */
function irVersion(opset: number): number {
  if (opset >= 21) return 10;
  return opset >= 19 ? 9 : 8;
}

function nodeProto({ inputs, outputs, name, type, attributes }: Node): Message {
  const message = new Message();
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  message.string(3, name).string(4, type);
  for (const [key, value] of Object.entries(attributes)) message.message(5, attributeProto(key, value));
  return message;
}

function attributeProto(name: string, value: Attribute): Message {
  const message = new Message().string(1, name);
  if (typeof value === 'number') return message.integer(3, value).integer(20, 2);
  if (typeof value === 'string') return message.string(4, value).integer(20, 3);
  if ('float' in value) return message.float(2, value.float).integer(20, 1);
  return message.integers(8, value).integer(20, 7);
}

function tensorProto({ dims, type, name, data }: Initializer): Message {
  return new Message().integers(1, dims).integer(2, elementTypes[type]).string(8, name).bytes(9, data);
}

function valueInfo({ name, type, dims }: Port): Message {
  const shape = new Message();
  for (const dim of dims) {
    shape.message(1, typeof dim === 'number' ? new Message().integer(1, dim) : new Message().string(2, dim));
  }
  const tensor = new Message().integer(1, elementTypes[type]).message(2, shape);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}
