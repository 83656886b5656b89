import {
  type Engine,
  EngineError,
  EngineGuard,
  type EngineSource,
  outputFingerprint,
} from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import { OnnxOptionError, OnnxRuntimeError } from './errors.ts';
import type { Precision } from './graph/graph.ts';
import { type Packing, packingOf } from './packing.ts';
import {
  loadRuntime,
  type Runtime,
  type RuntimeName,
  type RuntimeSession,
  type RuntimeTensor,
  runtimeHere,
} from './runtime.ts';
import { toOnnx } from './to-onnx.ts';

/** Options of {@link onnxEngine}. */
export interface OnnxEngineOptions {
  /** `'node'` (package onnxruntime-node) or `'web'` (onnxruntime-web, also in Node); default: what fits the place. */
  runtime?: RuntimeName;
  /** As in {@link ToOnnxOptions}; default `'fp32'`. */
  precision?: Precision;
  /** Threads of one operation; default: the runtime's own choice. */
  threads?: number;
  /** The runtime's execution providers by preference, such as `'cuda'` or `'webgpu'`; default: its own choice. */
  executionProviders?: readonly (string | { name: string })[];
  /**
   * Whether the memory of a run is kept for the next one; default true. Without, runs take about a tenth more time, and between them
   * the runtime holds its weights alone.
   */
  keepMemory?: boolean;
}

/**
 * The frozen half of an adapted model on ONNX Runtime, in native code or as WebAssembly.
 *
 * It takes the weights as they are now; images of any size and number run on one loaded model. The taps are those of the tfjs engine to
 * 1e-4 with precision `'fp32'`.
 *
 * @param source An adapted model, or its frozen half.
 * @throws {@link OnnxRuntimeError} if the runtime's package is missing or refuses the model; {@link OnnxLayerError} for a layer without
 * converter; {@link OnnxOptionError}.
 *
 * @example
 * ```ts no-run
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-wasm';
 * import { adapt, e3va } from '@e3va/adapter-core';
 * import { onnxEngine } from '@e3va/engine-onnx';
 * import { swin, swinPresets } from '@e3va/swin';
 *
 * await tf.setBackend('wasm');
 * const adapted = adapt(swin(swinPresets.tiny), e3va());
 * const engine = await onnxEngine(adapted, { threads: 2 });
 * const taps = await engine.run(tf.zeros([1, 448, 448, 3]));
 * const levels = adapted.pyramid(taps);
 * ```
 */
export async function onnxEngine(source: EngineSource, options: OnnxEngineOptions = {}): Promise<Engine> {
  const { runtime: name = runtimeHere(), precision = 'fp32' } = options;
  checkOptions(name, options.threads);
  const guard = new EngineGuard(source);
  const { model } = guard.half;
  const runtime = await loadRuntime(name);
  const packing = packingOf(model);
  const file = await toOnnx(model, { precision, outputs: packing.sources });
  const session = await createSession(runtime, file, options);
  const fingerprint = `onnx-${precision}-${await outputFingerprint(model)}`;
  return new OnnxEngine(guard, runtime, session, packing, fingerprint);
}

function checkOptions(name: string, threads: number | undefined): void {
  if (name !== 'node' && name !== 'web') {
    throw new OnnxOptionError({
      what: "onnxEngine: unknown 'runtime'",
      expected: 'node or web',
      received: name,
    });
  }
  if (threads === undefined || (Number.isInteger(threads) && threads > 0)) return;
  throw new OnnxOptionError({
    what: "onnxEngine: 'threads' does not fit",
    expected: 'a whole number above 0',
    received: `${threads}`,
  });
}

async function createSession(
  runtime: Runtime,
  file: Uint8Array,
  { threads, executionProviders, keepMemory = true }: OnnxEngineOptions,
): Promise<RuntimeSession> {
  if (threads !== undefined && runtime.env.wasm) runtime.env.wasm.numThreads = threads;
  try {
    return await runtime.InferenceSession.create(file, {
      graphOptimizationLevel: 'all',
      enableCpuMemArena: keepMemory,
      enableMemPattern: keepMemory,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      ...(executionProviders && { executionProviders: [...executionProviders] }),
    });
  } catch (cause) {
    throw new OnnxRuntimeError(
      {
        what: 'ONNX Runtime cannot load the model',
        received: (cause as Error).message,
        fix: 'leave out executionProviders, or update the runtime to 1.20 or later',
      },
      { cause },
    );
  }
}

class OnnxEngine implements Engine {
  readonly fingerprint: string;
  private readonly guard: EngineGuard;
  private readonly runtime: Runtime;
  private readonly packing: Packing;
  private session: RuntimeSession | undefined;
  /** Runs that are under way: the session is released behind the last of them. */
  private running = 0;

  constructor(
    guard: EngineGuard,
    runtime: Runtime,
    session: RuntimeSession,
    packing: Packing,
    fingerprint: string,
  ) {
    this.guard = guard;
    this.runtime = runtime;
    this.session = session;
    this.packing = packing;
    this.fingerprint = fingerprint;
  }

  async run(images: tf.Tensor | tf.Tensor[]): Promise<tf.Tensor[]> {
    const given = this.guard.check(images);
    const session = this.session!;
    this.running++;
    try {
      const feeds = await this.feeds(session, given);
      return this.taps(await this.runSession(session, feeds), session);
    } finally {
      this.running--;
      this.releaseIfDone();
    }
  }

  private async runSession(session: RuntimeSession, feeds: Record<string, RuntimeTensor>) {
    try {
      return await session.run(feeds);
    } catch (cause) {
      throw new EngineError(
        {
          what: 'ONNX Runtime failed while it computed the taps',
          received: (cause as Error).message,
          fix: 'if memory is short, lower the batch or the image size; images may also be too small for the network',
        },
        { cause },
      );
    }
  }

  private async feeds(session: RuntimeSession, given: tf.Tensor[]): Promise<Record<string, RuntimeTensor>> {
    const feeds: Record<string, RuntimeTensor> = {};
    const { inputs } = this.guard.half.model;
    for (const [i, tensor] of given.entries()) {
      const { dtype } = inputs[i] as SymbolicTensor;
      const whole = dtype === 'int32';
      const data = await tensor.data();
      const typed = whole
        ? Int32Array.from(data)
        : data instanceof Float32Array
          ? data
          : Float32Array.from(data);
      feeds[session.inputNames[i]!] = new this.runtime.Tensor(
        whole ? 'int32' : 'float32',
        typed,
        tensor.shape,
      );
    }
    return feeds;
  }

  private taps(results: Record<string, RuntimeTensor>, session: RuntimeSession): tf.Tensor[] {
    const tensors = session.outputNames.map((name) => {
      const { data, dims } = results[name]!;
      const type = data instanceof Int32Array ? 'int32' : 'float32'; // an input that is a tap may be whole numbers
      return tf.tensor(data as Float32Array, [...dims], type);
    });
    for (const name of session.outputNames) results[name]!.dispose?.();
    return this.packing.pack(tensors);
  }

  dispose(): void {
    this.guard.dispose();
    this.releaseIfDone();
  }

  private releaseIfDone(): void {
    if (this.running > 0 || !this.guard.isDisposed || !this.session) return;
    const session = this.session;
    this.session = undefined;
    void session.release();
  }
}
