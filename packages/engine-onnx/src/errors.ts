import { E3vaError } from '@e3va/highway-grad';

/** A layer cannot be written as ONNX: its class has no converter, or this use of it is not covered by the one it has. */
export class OnnxLayerError extends E3vaError {}

/** An option of `toOnnx` or `onnxEngine` is impossible. */
export class OnnxOptionError extends E3vaError {}

/** A model is too large for one ONNX file, or a weight does not fit the precision. */
export class OnnxSizeError extends E3vaError {}

/** The ONNX Runtime package is not installed, or cannot be loaded here. */
export class OnnxRuntimeError extends E3vaError {}
