import { highwayStage, type TapSource } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { LayersModel, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { FrozenHalf } from '../frozen-half.ts';
import { AdapterStage, type HighwayStageConfig } from './adapter-stage.ts';

/** The base's own stream behind each stage's result. */
const segmentEnds = new WeakMap<tf.Tensor, tf.Tensor>();

/** Configuration of a {@link RecomputedStage}. */
export interface RecomputedStageConfig extends HighwayStageConfig {
  /** The base between the start of the stage and its end; outputs the taps, and then the base's own stream behind them. */
  segment: FrozenHalf;
}

/**
 * A stage of the highway that makes its taps itself, once in the forward and once more in the backward pass, one at a
 * time and off the tape; what the segment of the base starts from is all that is held.
 *
 * Inputs: z, and what the segment starts from. Output: z + Σ E_i(u_i); a {@link SegmentEnd} behind it gives the base's own
 * stream there, from which the next stage's segment starts.
 */
export class RecomputedStage extends AdapterStage {
  static className = 'E3vaRecomputedStage';
  private readonly segment: FrozenHalf;

  constructor({ segment, ...config }: RecomputedStageConfig) {
    super(config);
    this.segment = segment;
  }

  private get tapCount(): number {
    return this.segment.model.outputs.length - 1;
  }

  override build(inputShape: Shape | Shape[]): void {
    this.addFactors(this.tapCount, (inputShape as Shape[])[0]!.at(-1) as number);
    super.build(inputShape);
  }

  /** The adapters' weights, and those of the segment, which are never trained. */
  override get nonTrainableWeights(): LayerVariable[] {
    return [...super.nonTrainableWeights, ...this.segment.model.weights];
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0]!;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [z, ...starts] = inputs as tf.Tensor[];
    const [y, end] = tf.tidy(() => {
      const ends: tf.Tensor[] = [];
      const count = this.tapCount;
      const source: TapSource = {
        count,
        saved: starts,
        each: (saved, _, use) => {
          const [end] = this.segment.run(saved, { count, see: (i, tap) => use(i, [tap]) });
          if (ends.length === 0) ends.push(tf.keep(end!));
          else end!.dispose();
        },
      };
      try {
        const y = highwayStage(z!, source, this.stageWeights(), { skip: this.config.skip });
        return [y, tf.clone(ends[0]!)];
      } finally {
        tf.dispose(ends);
      }
    }) as [tf.Tensor, tf.Tensor];
    segmentEnds.set(y, end);
    return y;
  }

  /** The configuration, with the segment's model. */
  override getConfig() {
    return { ...super.getConfig(), segment: this.segment.model.getConfig() };
  }

  /** Makes the layer, and the segment inside it, from its configuration. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { inputs, outputs } = LayersModel.fromConfig(
      LayersModel as unknown as tf.serialization.SerializableConstructor<LayersModel>,
      config.segment as tf.serialization.ConfigDict,
    );
    return new cls({ ...config, segment: new FrozenHalf(inputs, outputs) } as never);
  }
}

tf.serialization.registerClass(RecomputedStage, '@e3va', RecomputedStage.className);

/** The base's own stream behind a {@link RecomputedStage}, by the stage's result; a constant for the gradient. */
export class SegmentEnd extends layers.Layer {
  static className = 'E3vaSegmentEnd';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return segmentEnds.get([inputs].flat()[0]!)!;
  }
}

tf.serialization.registerClass(SegmentEnd, '@e3va', SegmentEnd.className);
