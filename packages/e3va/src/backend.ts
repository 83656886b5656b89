import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { registerTrainingKernels } from '@e3va/highway-grad';

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients
import { BackendError } from './errors.ts';

/** Where tensors live and operations run: native TensorFlow, WebAssembly, plain JavaScript, or the fastest of them that is installed. */
export type BackendChoice = 'auto' | 'tensorflow' | 'wasm' | 'cpu';

/** What {@link useBackend} started. */
export interface ActiveBackend {
  /** The name by which tfjs knows it: `tensorflow`, `wasm` or `cpu`. */
  name: string;
  /** Training kernels that the backend lacked, or had wrong, and that were registered for it. */
  kernels: string[];
}

const nativePackages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/**
 * Starts a compute backend and registers the training kernels that it lacks.
 *
 * `auto` keeps a backend that is active already; else it takes `@tensorflow/tfjs-node-gpu`, else `@tensorflow/tfjs-node`, if one is installed and loads; else WebAssembly.
 *
 * @throws {@link BackendError} if the backend is unknown, not installed, or does not start.
 *
 * @example
 * ```ts
 * import { useBackend } from 'e3va';
 *
 * const { name } = await useBackend('wasm');
 * console.log(name); // wasm
 * ```
 */
export async function useBackend(choice: BackendChoice = 'auto'): Promise<ActiveBackend> {
  switch (choice) {
    case 'auto':
      if (tf.getBackend()) return { name: tf.getBackend(), kernels: registerTrainingKernels() };
      return (await useNative().catch(() => undefined)) ?? useWasm();
    case 'tensorflow':
      return useNative();
    case 'wasm':
      return useWasm();
    case 'cpu':
      return usePackage('cpu', '@tensorflow/tfjs-backend-cpu');
    default:
      throw new BackendError({
        what: 'unknown backend',
        expected: 'auto | tensorflow | wasm | cpu',
        received: String(choice),
      });
  }
}

async function useNative(): Promise<ActiveBackend> {
  const reasons: string[] = [];
  for (const name of nativePackages) {
    try {
      return await usePackage('tensorflow', name);
    } catch (error) {
      reasons.push(`${name}: ${firstLine((error as Error).cause ?? error)}`);
    }
  }
  throw new BackendError({
    what: 'the tensorflow backend cannot be loaded',
    received: reasons.join('; '),
    fix: 'npm install @tensorflow/tfjs-node (Node 20 or 22), or use --backend wasm',
  });
}

async function useWasm(): Promise<ActiveBackend> {
  const name = '@tensorflow/tfjs-backend-wasm';
  return usePackage('wasm', name, (wasm) => {
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false); // its threads do not work in Node
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const setWasmPaths = (wasm.setWasmPaths ?? wasm.default?.setWasmPaths) as (path: string) => void;
    setWasmPaths(join(dirname(manifest), 'wasm-out') + sep);
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the packages are optional, so their types may be missing
type Loaded = any;

async function usePackage(
  backend: string,
  name: string,
  prepare: (module: Loaded) => void = () => {},
): Promise<ActiveBackend> {
  try {
    // the name is in a variable: bundlers and the type checker do not need the package
    if (!tf.findBackendFactory(backend)) prepare(await import(name));
    if (!(await tf.setBackend(backend))) throw new Error('it did not start');
    await tf.ready();
  } catch (cause) {
    throw new BackendError(
      {
        what: `the ${backend} backend cannot be started`,
        received: firstLine(cause),
        fix: `npm install ${name}`,
      },
      { cause },
    );
  }
  return { name: backend, kernels: registerTrainingKernels() };
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0]!;
}
