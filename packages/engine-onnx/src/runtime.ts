import { OnnxRuntimeError } from './errors.ts';

/** A tensor of ONNX Runtime. */
export interface RuntimeTensor {
  readonly data: ArrayBufferView;
  readonly dims: readonly number[];
  dispose?(): void;
}

/** A model that ONNX Runtime has loaded. */
export interface RuntimeSession {
  readonly outputNames: readonly string[];
  readonly inputNames: readonly string[];
  run(feeds: Record<string, RuntimeTensor>): Promise<Record<string, RuntimeTensor>>;
  release(): Promise<void>;
}

/** What is used of the packages onnxruntime-node and onnxruntime-web; both have it. */
export interface Runtime {
  InferenceSession: { create(model: Uint8Array, options: object): Promise<RuntimeSession> };
  Tensor: new (type: string, data: unknown, dims: readonly number[]) => RuntimeTensor;
  env: { wasm?: { numThreads?: number } };
}

/** Where ONNX Runtime runs: in Node with native code, or as WebAssembly or WebGPU. */
export type RuntimeName = 'node' | 'web';

const packages = { node: 'onnxruntime-node', web: 'onnxruntime-web' } as const;

/** What runs here: native code in Node, WebAssembly elsewhere. */
export const runtimeHere = (): RuntimeName =>
  typeof process === 'object' && process.versions?.node !== undefined ? 'node' : 'web';

const loaders: Record<RuntimeName, () => Promise<object>> = {
  // bundlers for browsers are not to look for native code
  node: () => import(/* @vite-ignore */ /* webpackIgnore: true */ packages.node),
  web: () => import('onnxruntime-web'),
};

/**
 * Loads the runtime; it is an optional peer, and loaded only here.
 *
 * @throws {@link OnnxRuntimeError} with the command that installs it.
 */
export async function loadRuntime(name: RuntimeName, load = loaders[name]): Promise<Runtime> {
  try {
    const module = await load();
    return ('InferenceSession' in module ? module : (module as { default: object }).default) as Runtime;
  } catch (cause) {
    // its installer also fetches parts for CUDA; the processor's parts come with the package
    const environment = name === 'node' ? 'ONNXRUNTIME_NODE_INSTALL=skip ' : '';
    throw new OnnxRuntimeError(
      {
        what: `the package ${packages[name]} cannot be loaded`,
        received: (cause as Error).message?.split('\n')[0] ?? String(cause),
        fix: `${environment}npm install ${packages[name]}`,
      },
      { cause },
    );
  }
}
