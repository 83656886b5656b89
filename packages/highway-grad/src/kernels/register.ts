import * as tf from '@tensorflow/tfjs-core';
import {
  asKernelFunc,
  avgPoolGrad,
  mirrorPadGradient,
  resizeBilinearGrad,
  resizeNearestNeighborGrad,
} from './gradients.ts';
import { isWasmBackend, type KernelCall, type Original, type WasmKernel } from './wasm/backend.ts';
import { conv2dBackpropFilter } from './wasm/conv-backprop-filter.ts';
import { conv2dBackpropInput } from './wasm/conv-backprop-input.ts';
import { identity, reverse, slice, split, tile, transpose, unpack } from './wasm/copies.ts';
import { depthwiseBackpropFilter, depthwiseBackpropInput } from './wasm/depthwise-backprop.ts';
import { erf } from './wasm/erf.ts';
import { gather } from './wasm/gather.ts';
import { batchMatMul, fusedMatMul } from './wasm/mat-mul.ts';
import { maxPoolGrad, maxPoolWithArgmax } from './wasm/max-pool.ts';
import { mean, sum } from './wasm/reduce.ts';
import { unsortedSegmentSum } from './wasm/segment-sum.ts';

/** Marks what was registered here, also by another copy of this package. */
const mark = Symbol.for('@e3va/training-kernel');

const wasmKernels: Record<string, WasmKernel> = {
  BatchMatMul: batchMatMul,
  Conv2DBackpropFilter: conv2dBackpropFilter,
  Conv2DBackpropInput: conv2dBackpropInput,
  DepthwiseConv2dNativeBackpropFilter: depthwiseBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: depthwiseBackpropInput,
  Erf: erf,
  GatherV2: gather,
  Identity: identity,
  MaxPoolGrad: maxPoolGrad,
  MaxPoolWithArgmax: maxPoolWithArgmax,
  Mean: mean,
  Reverse: reverse,
  Slice: slice,
  SplitV: split,
  Sum: sum,
  Tile: tile,
  Transpose: transpose,
  Unpack: unpack,
  UnsortedSegmentSum: unsortedSegmentSum,
  _FusedMatMul: fusedMatMul,
};

const gradients = {
  AvgPoolGrad: avgPoolGrad,
  ResizeBilinearGrad: resizeBilinearGrad,
  ResizeNearestNeighborGrad: resizeNearestNeighborGrad,
};

/** Where all of these are wrong (tfjs 4.22, by finite differences); TensorFlow's own kernels are right. */
const wrongGradients = new Set(['cpu', 'wasm', 'webgl', 'webgpu']);

/**
 * Gives the active backend the kernels that training needs and that tfjs lacks there, has wrong, or runs many times
 * slower than it could; they replace tfjs's own ones for the whole process.
 *
 * - wasm: gradients of convolutions, of `gather` and of max pooling (missing or wrong); products with a transposed
 *   operand or a batch, sums over leading axes, `erf`, slicing, tiling, gathering (slow); `clone` by reference.
 * - cpu, wasm, webgl, webgpu: the gradients of average pooling at the borders and of resizing with half-pixel centres (wrong).
 * - every backend: the gradient of `mirrorPad` (wrong).
 *
 * Importing this package registers nothing; call this after `tf.setBackend`, once for each backend that you use. A
 * second call changes nothing.
 *
 * @returns The names of the kernels and gradients that are now ours, in alphabetical order.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { registerTrainingKernels } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * console.log(registerTrainingKernels());
 * ```
 */
export function registerTrainingKernels(): string[] {
  const backend = tf.backend();
  const backendName = tf.getBackend();
  const names = new Set<string>(['MirrorPad']);
  if (tf.getGradient('MirrorPad')?.gradFunc !== mirrorPadGradient.gradFunc) {
    tf.registerGradient(mirrorPadGradient);
  }
  if (wrongGradients.has(backendName)) {
    for (const [name, kernel] of Object.entries(gradients)) {
      replace(name, backendName, () => asKernelFunc(kernel));
      names.add(name);
    }
  }
  if (backendName === 'wasm' && isWasmBackend(backend)) {
    for (const [name, kernel] of Object.entries(wasmKernels)) {
      replace(name, backendName, (original) => wasmKernelFunc(name, kernel, original));
      names.add(name);
    }
  }
  return [...names].sort();
}

function wasmKernelFunc(name: string, kernel: WasmKernel, original?: tf.KernelFunc): tf.KernelFunc {
  const before: Original = (call) => {
    if (!original) throw new Error(`${name} replaces no kernel`);
    return original(call as unknown as Parameters<tf.KernelFunc>[0]);
  };
  return (call) => kernel(call as unknown as KernelCall, before);
}

/** Registers a kernel in place of another one, unless ours is there already. */
function replace(
  kernelName: string,
  backendName: string,
  kernelOf: (original?: tf.KernelFunc) => tf.KernelFunc,
): void {
  const original = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
  if (original && mark in original.kernelFunc) return;
  const kernelFunc = Object.assign(kernelOf(original?.kernelFunc), { [mark]: true });
  // registering over a kernel warns
  if (original) tf.unregisterKernel(kernelName, backendName);
  // the original's setup stays: the engine calls it whenever the backend is set
  tf.registerKernel({ ...original, kernelName, backendName, kernelFunc });
}
