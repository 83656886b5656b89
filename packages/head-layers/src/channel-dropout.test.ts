import * as tf from '@tensorflow/tfjs-core';
import { input, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract, roundTrip } from '../../../tests/support/layer-contract.ts';
import { expectClose, onBackends } from '../../../tests/support/tensors.ts';
import { ChannelDropout, channelDropout } from './channel-dropout.ts';

onBackends('ChannelDropout', () => {
  it('keeps the layer contract', async () => {
    const layer = new ChannelDropout({ name: 'drop', rate: 0.4, seed: 3 });
    await expectLayerContract(layer, [[2, 3, 4, 5]], { gradientModes: [false] });
  });

  it('drops whole channels, at the rate, and scales the others', () => {
    const y = channelDropout(tf.ones<tf.Rank.R4>([8, 2, 3, 500]), 0.3, 'a').arraySync();
    let dropped = 0;
    for (const image of y) {
      for (let c = 0; c < 500; c++) {
        const channel = new Set(image.flat().map((pixel) => pixel[c]!));
        expect(channel.size).toBe(1);
        const [value] = channel;
        if (value === 0) dropped++;
        else expect(value).toBeCloseTo(1 / 0.7, 5);
      }
    }
    expect(dropped / 4000).toBeCloseTo(0.3, 1);
  });

  it('has the mask as its gradient', () => {
    const x = tf.ones<tf.Rank.R4>([2, 2, 2, 40]);
    const drop = (x: tf.Tensor) => channelDropout(x, 0.5, 'b');
    expectClose(tf.grad(drop)(x), drop(x), 0);
  });

  it('draws another mask at each training call, and goes on alike after saving and loading', async () => {
    const x = input({ shape: [null, null, 40] });
    const layer = new ChannelDropout({ rate: 0.5, seed: 1 });
    const net = model({ inputs: x, outputs: layer.apply(x) as SymbolicTensor });
    const step = (net: { apply: typeof layer.apply }) =>
      net.apply(tf.ones([2, 2, 2, 40]), { training: true }) as tf.Tensor;
    const first = step(net).dataSync();
    const restored = await roundTrip(net);
    const second = step(net).dataSync();
    expect(second).not.toEqual(first);
    expect(step(restored).dataSync()).toEqual(second);
  });
});
