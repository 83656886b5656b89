import * as tf from '@tensorflow/tfjs-core';
import { isWasmBackend, type KernelCall, type WasmKernel } from './wasm/backend.ts';
import { geluDerivative, normalCdf } from './wasm/erf.ts';
import { packTap, unpackTap } from './wasm/packed-tap.ts';
import { separable } from './wasm/separable.ts';

/** Kernels of our own names: they replace nothing, so they are registered where they are needed. */
const wasmKernels = {
  E3vaNormalCdf: normalCdf,
  E3vaGeluDerivative: geluDerivative,
  E3vaSeparable: separable,
  E3vaPackTap: packTap,
  E3vaUnpackTap: unpackTap,
} satisfies Record<string, WasmKernel>;

/**
 * Runs one of our own kernels where the active backend has it; undefined where it has not, and plain operations
 * have to do. Such a kernel has no gradient: call it off the tape, or within a `customGrad`.
 */
export function runPrivate(
  name: keyof typeof wasmKernels,
  inputs: Record<string, tf.Tensor>,
  attrs: object = {},
): tf.Tensor | undefined {
  const backend = tf.backend();
  const backendName = tf.getBackend();
  if (backendName !== 'wasm' || !isWasmBackend(backend)) return undefined;
  // only codes are integers
  if (Object.entries(inputs).some(([key, t]) => t.dtype !== (key === 'codes' ? 'int32' : 'float32'))) {
    return undefined;
  }
  if (!tf.getKernel(name, backendName)) {
    const kernel = wasmKernels[name];
    const none = () => {
      throw new Error(`${name} replaces no kernel`);
    };
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: (call) => (kernel as WasmKernel)(call as unknown as KernelCall, none),
    });
  }
  return tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;
}
