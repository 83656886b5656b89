import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Grid } from '../anchors.ts';

/** What a head says of every anchor: for each level logits [batch, anchors, classes] and deltas [batch, anchors, 4]. */
export interface DenseOutputs {
  /** The levels' maps, in cells. */
  grids: Grid[];
  logits: tf.Tensor3D[];
  deltas: tf.Tensor3D[];
}

/**
 * Applies one head to every level.
 *
 * @param head From a level's map to [batch, h, w, anchors · classes] and [batch, h, w, anchors · 4].
 * @param pyramid Maps [batch, h, w, channels].
 */
export function denseOutputs(
  head: LayersModel,
  pyramid: readonly tf.Tensor4D[],
  classes: number,
): DenseOutputs {
  const outputs: DenseOutputs = { grids: [], logits: [], deltas: [] };
  for (const map of pyramid) {
    const [logits, deltas] = head.apply(map) as [tf.Tensor4D, tf.Tensor4D];
    const [batch, height, width] = map.shape;
    outputs.grids.push([height, width]);
    outputs.logits.push(tf.reshape(logits, [batch, -1, classes]));
    outputs.deltas.push(tf.reshape(deltas, [batch, -1, 4]));
  }
  return outputs;
}

/** What `run` puts out, in a tidy of its own. */
export function tidyOutputs(run: () => DenseOutputs): DenseOutputs {
  let outputs: DenseOutputs | undefined;
  tf.tidy(() => {
    outputs = run();
    return [outputs.logits, outputs.deltas];
  });
  return outputs!;
}

/** {@link DenseOutputs} of one image in plain numbers. */
export interface ImageOutputs {
  /** For each level [anchors, classes]. */
  logits: Float32Array[];
  /** For each level [anchors, 4]. */
  deltas: Float32Array[];
}

/** The outputs in plain numbers, image by image; reads the tensors, and waits for them where a GPU computes. */
export function readOutputs({ logits, deltas }: DenseOutputs): ImageOutputs[] {
  const read = (t: tf.Tensor) => t.dataSync() as Float32Array;
  return byImage(logits[0]!.shape[0], logits.map(read), deltas.map(read));
}

/** {@link readOutputs} without blocking; disposes the tensors. */
export async function takeOutputs({ logits, deltas }: DenseOutputs): Promise<ImageOutputs[]> {
  const batch = logits[0]!.shape[0];
  const read = (tensors: tf.Tensor[]) => Promise.all(tensors.map((t) => t.data() as Promise<Float32Array>));
  try {
    return byImage(batch, await read(logits), await read(deltas));
  } finally {
    tf.dispose([logits, deltas]);
  }
}

function byImage(batch: number, logits: Float32Array[], deltas: Float32Array[]): ImageOutputs[] {
  const slices = (levels: Float32Array[], image: number) =>
    levels.map((v) => v.subarray((image * v.length) / batch, ((image + 1) * v.length) / batch));
  return Array.from({ length: batch }, (_, i) => ({ logits: slices(logits, i), deltas: slices(deltas, i) }));
}
