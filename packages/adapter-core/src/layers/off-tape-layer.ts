import { offTape } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { BaseLayer } from './base-layer.ts';

/** A {@link BaseLayer} whose work is not recorded on the gradient tape: no gradient goes through it. */
export class OffTapeLayer extends BaseLayer {
  static override className = 'E3vaOffTapeLayer';

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: object): tf.Tensor | tf.Tensor[] {
    return offTape(inputs, (...given) => super.call(given.length === 1 ? given[0]! : given, kwargs));
  }
}

tf.serialization.registerClass(OffTapeLayer, '@e3va', OffTapeLayer.className);
