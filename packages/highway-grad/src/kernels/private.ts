import * as tf from '@tensorflow/tfjs-core';
import { isWasmBackend, type KernelCall, type WasmKernel } from './wasm/backend.ts';
import { geluDerivative, normalCdf } from './wasm/erf.ts';
import { separable } from './wasm/separable.ts';

/** Kernels of our own names: they replace nothing, so they are registered where they are needed. */
const wasmKernels = {
  E3vaNormalCdf: normalCdf,
  E3vaGeluDerivative: geluDerivative,
  E3vaSeparable: separable,
} satisfies Record<string, WasmKernel>;

/**
 * Runs one of our own kernels where the active backend has it; undefined where it has not, and plain operations
 * have to do. Such a kernel has no gradient: call it off the tape, or within a `customGrad`.
 */
export function runPrivate(
  name: keyof typeof wasmKernels,
  inputs: Record<string, tf.Tensor>,
): tf.Tensor | undefined {
  const backend = tf.backend();
  const backendName = tf.getBackend();
  if (backendName !== 'wasm' || !isWasmBackend(backend)) return undefined;
  if (Object.values(inputs).some((t) => t.dtype !== 'float32')) return undefined;
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
  return tf.engine().runKernel(name, inputs) as tf.Tensor;
}
