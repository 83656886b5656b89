import { E3vaError } from '@e3va/highway-grad';
import type * as tf from '@tensorflow/tfjs-core';
import { Adapted } from './adapted.ts';
import { outputFingerprint } from './fingerprint.ts';
import type { FrozenHalf } from './frozen-half.ts';

/** An engine cannot run: it was disposed, or what it was made from is no longer what it was. */
export class EngineError extends E3vaError {}

/**
 * What computes the taps of an adapted model: the frozen half needs no gradient, so anything may run it.
 */
export interface Engine {
  /**
   * The taps of a batch.
   *
   * @param images The base's input or inputs, for Swin normalised images [batch, height, width, 3].
   * @returns Tensors in the order of `adapted.taps(images)`; the caller disposes them.
   * @throws ShapeError for images that do not fit the base; {@link EngineError} if the engine is disposed, or the base or its taps
   * have changed since it was made.
   */
  run(images: tf.Tensor | tf.Tensor[]): Promise<tf.Tensor[]>;
  /** Says what the engine computes, and how: engines of one fingerprint give the same taps. */
  readonly fingerprint: string;
  /** Frees what the engine holds; the base stays. */
  dispose(): void;
}

/** An adapted model, or the frozen half of one. */
export type EngineSource = Adapted | FrozenHalf;

/** The frozen half of a source as it stands now. */
const frozenOf = (source: EngineSource): FrozenHalf => (source instanceof Adapted ? source.frozen : source);

/** Watches over a frozen half: whether it still is the one that an engine was made for. */
export class EngineGuard {
  /** The frozen half that the engine computes. */
  readonly half: FrozenHalf;
  private readonly source: EngineSource;
  private readonly buffers: object[];
  private disposed = false;

  /** Whether {@link EngineGuard.dispose} was called. */
  get isDisposed(): boolean {
    return this.disposed;
  }

  constructor(source: EngineSource) {
    this.source = source;
    this.half = frozenOf(source);
    this.buffers = this.half.model.weights.map((w) => w.read().dataId);
  }

  /**
   * Whether the engine may run on a batch.
   *
   * @returns The images as a list.
   * @throws {@link EngineError}, ShapeError as {@link Engine.run}.
   */
  check(images: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    if (this.disposed) throw new EngineError({ what: 'the engine is disposed', fix: 'make another one' });
    if (frozenOf(this.source) !== this.half) {
      throw new EngineError({
        what: 'the active adapter reads other taps than those that the engine was made for',
        fix: 'make an engine after setAdapter(), or set the adapter of that time',
      });
    }
    const changed = this.half.model.weights.filter((w, i) => w.read().dataId !== this.buffers[i]);
    if (changed.length > 0) {
      throw new EngineError({
        what: 'the weights of the base have changed since the engine was made',
        received: `${changed.length} other weights, the first is ${changed[0]!.originalName}`,
        fix: 'dispose the engine, and make another one',
      });
    }
    return this.half.check(images);
  }

  /** From now on every check fails. */
  dispose(): void {
    this.disposed = true;
  }
}

/**
 * The plain engine: the frozen half on the current tfjs backend.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { layers, sequential } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { adapt, lora, tfjsEngine } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const base = sequential({
 *   layers: [layers.dense({ units: 4, inputShape: [3] }), layers.dense({ name: 'fc', units: 2 })],
 * });
 * const adapted = adapt(base, lora({ targets: 'fc', rank: 1 }));
 * const engine = await tfjsEngine(adapted);
 * const taps = await engine.run(tf.ones([5, 3]));
 * console.log(engine.fingerprint, taps[0]!.shape, adapted.pyramid(taps)[0]!.shape); // tfjs-… [5, 4] [5, 2]
 * ```
 */
export async function tfjsEngine(source: EngineSource): Promise<Engine> {
  const guard = new EngineGuard(source);
  const fingerprint = `tfjs-${await outputFingerprint(guard.half.model)}`;
  return {
    fingerprint,
    run: async (images) => guard.half.run(guard.check(images)),
    dispose: () => guard.dispose(),
  };
}
