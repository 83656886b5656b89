import * as tf from '@tensorflow/tfjs-core';
import { type PackedTap, unpackTap } from './packed-tap.ts';

/** Where the taps of a stage come from, once in the forward and once more in the backward pass. */
export interface TapSource {
  /** Number of taps. */
  readonly count: number;
  /** What is held between forward and backward. */
  readonly saved: tf.Tensor[];
  /**
   * Hands the taps out in order, in runs of neighbours; what it makes is released after each run.
   *
   * @param saved The tensors of {@link TapSource.saved}.
   * @param most Length of a run that is best for the stage; a run may be shorter.
   * @param use Gets the index of a run's first tap, and its taps.
   */
  each(saved: tf.Tensor[], most: number, use: (at: number, taps: tf.Tensor[]) => void): void;
}

/** Taps that are held as they are. */
export function tapsAsTheyAre(taps: tf.Tensor[]): TapSource {
  return source(taps.length, taps, (saved, i) => saved[i]!);
}

/** Taps that are held packed, and unpacked run by run. */
export function packedTaps(taps: PackedTap[]): TapSource {
  const saved = taps.flatMap(({ codes, scales }) => [codes, scales]);
  return source(taps.length, saved, (tensors, i) =>
    unpackTap({ ...taps[i]!, codes: tensors[2 * i]!, scales: tensors[2 * i + 1]! }),
  );
}

function source(
  count: number,
  saved: tf.Tensor[],
  tap: (saved: tf.Tensor[], i: number) => tf.Tensor,
): TapSource {
  return {
    count,
    saved,
    each(tensors, most, use) {
      for (let at = 0; at < count; at += most) {
        const size = Math.min(most, count - at);
        tf.tidy(() =>
          use(
            at,
            Array.from({ length: size }, (_, i) => tap(tensors, at + i)),
          ),
        );
      }
    },
  };
}
