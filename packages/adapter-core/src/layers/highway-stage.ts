import { highwayStage } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { AdapterStage, type HighwayStageConfig } from './adapter-stage.ts';

export type { HighwayStageConfig } from './adapter-stage.ts';

/**
 * One stage of the gradient highway as a layer: inputs z (if `stream`) and the stage's taps, all of shape
 * [batch, ..., C]; output z + Σ E_i(u_i). The weights of the stage's k adapters are stacked along a first axis.
 *
 * With packed taps the inputs are z, the exact sum of the taps, and words and scales of each tap (`packTap` of
 * `@e3va/highway-grad`); this form needs the stream and the skip.
 */
export class HighwayStage extends AdapterStage {
  static className = 'E3vaHighwayStage';

  override build(inputShape: Shape | Shape[]): void {
    const shapes = (Array.isArray(inputShape[0]) ? inputShape : [inputShape]) as Shape[];
    this.addFactors(this.tapsOf(shapes).length, shapes[0]!.at(-1) as number);
    super.build(inputShape);
  }

  /** The inputs that are taps; those of a packed tap as one. */
  private tapsOf<T>(inputs: T[]): T[][] {
    if (bitsOf(this.config) === undefined) {
      return inputs.slice(this.config.stream ? 1 : 0).map((tap) => [tap]);
    }
    return inputs.slice(2).flatMap((codes, i, all) => (i % 2 === 0 ? [[codes, all[i + 1]!]] : []));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const list = [inputs].flat();
    const { stream, skip, tapGradients } = this.config;
    const bits = bitsOf(this.config);
    return tf.tidy(() => {
      const z = stream ? list[0]! : tf.zerosLike(list[0]!);
      const taps = this.tapsOf(list);
      if (bits === undefined) {
        return highwayStage(z, taps.flat(), this.stageWeights(), { skip, tapGradients });
      }
      const channels = z.shape[z.rank - 1]!;
      const packed = taps.map(([codes, scales]) => ({ codes: codes!, scales: scales!, bits, channels }));
      return highwayStage(z, packed, this.stageWeights(), { sum: list[1]! });
    });
  }
}

/** Bits of a packed tap; undefined where the taps come as they are. */
function bitsOf({ savedTaps }: HighwayStageConfig): 8 | 16 | undefined {
  if (savedTaps === 'int8') return 8;
  return savedTaps === 'int16' ? 16 : undefined;
}

tf.serialization.registerClass(HighwayStage, '@e3va', HighwayStage.className);
