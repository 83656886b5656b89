import * as tf from '@tensorflow/tfjs-core';
import { openResidentMeter } from './resident-memory.ts';

/** Options of {@link measure}. */
export interface MeasureOptions {
  /** Runs of the function before the measured one, whose results are disposed of: they fill caches. 0 by default. */
  warmUps?: number;
}

/** What {@link measure} found. All sizes are bytes. */
export interface Measurement<T> {
  /** What the function returned. */
  result: T;
  /** Name of the backend. */
  backend: string;
  /** Wall-clock time, until the returned promise was fulfilled. */
  milliseconds: number;
  /**
   * Tensor data held at the start. A buffer that several tensors share counts once for each of them here, since the
   * engine keeps no list of its buffers.
   */
  startBytes: number;
  /** `startBytes + growthBytes`: the most tensor data that was held at once during the run. */
  peakBytes: number;
  /** How far tensor data rose above the start; each buffer once, however many tensors, views and saved references share it. */
  growthBytes: number;
  /** Tensor data held at the end more than at the start; each buffer once. */
  keptBytes: number;
  /** Number of tensors before and after. */
  tensors: { before: number; after: number };
  /**
   * How far the process's resident memory rose above the start; it sees what kernels allocate inside as well. Exact on
   * Linux. On other systems Node tells the highest value of the whole process only: an upper bound. Undefined in
   * browsers.
   */
  residentBytes: number | undefined;
}

/**
 * Runs a step, synchronous or not, and measures its time and the peak of its memory.
 *
 * `tf.memory().numBytes` counts every view, clone and saved reference of a buffer again; here each buffer counts once,
 * with the bytes that its backend stores (4 for float32 and int32, 1 for bool).
 *
 * The engine's bookkeeping is watched during the run and left as it was afterwards, also if the function throws.
 * Measurements may be nested or overlap; each counts everything that happens while it runs. On a backend that computes
 * in the background, await the data of the result within the function, or its time is not included.
 *
 * @param fn The step. Its result is handed on, not disposed of.
 * @throws what `fn` throws.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { measure } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const x = tf.ones([1000]);
 * const { growthBytes, result } = await measure(() => tf.tidy(() => tf.sum(tf.square(tf.reshape(x, [10, 100])))));
 * console.log(growthBytes, result.dataSync()[0]); // 4004: the squares and their sum; 1000
 * ```
 */
export async function measure<T>(
  fn: () => T | Promise<T>,
  options: MeasureOptions = {},
): Promise<Measurement<T>> {
  tf.backend(); // sets a backend, if none is set
  for (let i = 0; i < (options.warmUps ?? 0); i++) tf.dispose((await fn()) as tf.TensorContainer);
  const { numBytes, numTensors } = tf.memory();
  const resident = openResidentMeter();
  const meter = openBufferMeter();
  const start = performance.now();
  try {
    const result = await fn();
    return {
      result,
      backend: tf.getBackend(),
      milliseconds: performance.now() - start,
      startBytes: numBytes,
      peakBytes: numBytes + meter.peak,
      growthBytes: meter.peak,
      keptBytes: meter.current,
      tensors: { before: numTensors, after: tf.memory().numTensors },
      residentBytes: resident?.growth(),
    };
  } finally {
    closeBufferMeter(meter);
  }
}

/** Bytes relative to the meter's start. */
interface BufferMeter {
  current: number;
  peak: number;
}

/** The part of the engine that knows when a data buffer appears and goes. */
interface Bookkeeping {
  trackTensor(tensor: tf.TensorInfo, backend: unknown): void;
  removeDataId(dataId: object, backend: unknown): void;
  state: { tensorInfo: { has(dataId: object): boolean; get(dataId: object): { bytes: number } | undefined } };
}

/** Every open meter; the engine is watched while there is one. */
const meters = new Set<BufferMeter>();
let stopWatching: (() => void) | undefined;

function openBufferMeter(): BufferMeter {
  const meter = { current: 0, peak: 0 };
  meters.add(meter);
  stopWatching ??= watch(tf.engine() as unknown as Bookkeeping, (bytes) => {
    for (const open of meters) {
      open.current += bytes;
      open.peak = Math.max(open.peak, open.current);
    }
  });
  return meter;
}

function closeBufferMeter(meter: BufferMeter): void {
  meters.delete(meter);
  if (meters.size > 0) return;
  stopWatching?.();
  stopWatching = undefined;
}

/** Calls `changed` with the bytes of each buffer that appears (positive) or goes (negative). */
function watch(engine: Bookkeeping, changed: (bytes: number) => void): () => void {
  const own = {
    trackTensor: Object.hasOwn(engine, 'trackTensor'),
    removeDataId: Object.hasOwn(engine, 'removeDataId'),
  };
  const { trackTensor, removeDataId } = engine;
  const bytesOf = (dataId: object) => engine.state.tensorInfo.get(dataId)?.bytes ?? 0;
  engine.trackTensor = (tensor, backend) => {
    const known = engine.state.tensorInfo.has(tensor.dataId);
    trackTensor.call(engine, tensor, backend);
    if (!known) changed(bytesOf(tensor.dataId));
  };
  engine.removeDataId = (dataId, backend) => {
    const bytes = bytesOf(dataId);
    removeDataId.call(engine, dataId, backend);
    if (!engine.state.tensorInfo.has(dataId)) changed(-bytes);
  };
  return () => {
    // the methods live on the prototype: take ours away, or put back what somebody else had put there
    if (own.trackTensor) engine.trackTensor = trackTensor;
    else delete (engine as Partial<Bookkeeping>).trackTensor;
    if (own.removeDataId) engine.removeDataId = removeDataId;
    else delete (engine as Partial<Bookkeeping>).removeDataId;
  };
}
