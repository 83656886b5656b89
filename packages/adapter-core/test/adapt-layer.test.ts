import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import {
  initializers,
  input,
  type LayersModel,
  layers,
  model,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptLayer, e3va } from '../src/index.ts';
import { reload } from './reload.ts';
import { maxDifference } from './tiny-model.ts';

const conv = (name: string, filters: number, strides = 1) =>
  layers.conv2d({
    name,
    filters,
    kernelSize: 3,
    strides,
    padding: 'same',
    activation: 'relu',
    kernelInitializer: initializers.randomNormal({ stddev: 0.4, seed: filters + strides }),
  });

/** A chain of three convolutions, the second of another size, with the highway beside it. */
function chain(): { adapted: LayersModel; plain: LayersModel } {
  const parts = [conv('a', 4), conv('b', 6, 2), conv('c', 6)];
  const images = input({ shape: [8, 8, 4] });
  let x: SymbolicTensor = images;
  for (const layer of parts) x = layer.apply(x) as SymbolicTensor;
  let streams = [images, images];
  for (const layer of parts) {
    streams = adaptLayer(layer, e3va({ rank: 2 })).apply(streams) as SymbolicTensor[];
  }
  return {
    plain: model({ inputs: images, outputs: x }),
    adapted: model({ inputs: images, outputs: streams[1]! }),
  };
}

describe.each(['cpu', 'wasm'])('adaptLayer with e3va on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });
  const images = () => tf.randomNormal([2, 8, 8, 4], 0, 1, 'float32', 3);

  it('two streams: fresh, the highway gives what the frozen stream gives', () => {
    const { adapted, plain } = chain();
    tf.tidy(() => {
      const [a, b] = [adapted.predict(images()), plain.predict(images())] as tf.Tensor[];
      expect(maxDifference(a!, b!)).toBeLessThan(1e-6);
    });
    // two adapters of 2·r·(C + m) + C + m at 6 channels, one at 4, and the transition's 4·r + r·6
    const adapter = (c: number) => 2 * 2 * (c + c / 2) + c + c / 2;
    expect(adapted.countParams() - plain.countParams()).toBe(adapter(4) + 2 * adapter(6) + 2 * (4 + 6));
    const lines: string[] = [];
    adapted.summary(100, undefined, (line) => lines.push(line));
    expect(lines.join('\n')).toContain(`Trainable params: ${adapter(4) + 2 * adapter(6) + 20}`);
  });

  it('fit lowers the loss, changes no frozen weight, and records nothing of the frozen layers', async () => {
    const { adapted } = chain();
    const frozen = () =>
      adapted.layers.flatMap((l) => l.nonTrainableWeights).map((w) => [...w.read().dataSync()]);
    const before = frozen();
    const [x, y] = [images(), tf.ones([2, 4, 4, 6])];
    adapted.compile({ optimizer: tf.train.adam(0.03), loss: 'meanSquaredError' });
    const { history } = await adapted.fit(x, y, { epochs: 10, verbose: 0 });
    const losses = history.loss as number[];
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect(frozen()).toEqual(before);
    const seen: string[] = [];
    tf.tidy(() => {
      tf.variableGrads(() => {
        const loss = tf.mean(tf.square(adapted.apply(x, { training: true }) as tf.Tensor)) as tf.Scalar;
        const { activeTape } = (tf.engine() as unknown as { state: { activeTape: { kernelName: string }[] } })
          .state;
        seen.push(...activeTape.map((node) => node.kernelName));
        return loss;
      });
    });
    expect(seen.filter((name) => /conv2d|relu/i.test(name))).toEqual([]);
    expect(seen.length).toBeGreaterThan(0);
  });

  it('the gradient is that of finite differences', () => {
    const { adapted } = chain();
    const x = images();
    adapted.trainableWeights.forEach((w, i) => {
      w.write(tf.randomNormal(w.shape as number[], 0, 0.4, 'float32', i + 1));
    });
    const loss = () => tf.tidy(() => tf.mean(tf.square(adapted.apply(x) as tf.Tensor)) as tf.Scalar);
    const { grads } = tf.variableGrads(loss);
    for (const w of adapted.trainableWeights) {
      const gradient = grads[(w.read() as tf.Variable).name]!.dataSync()[0]!;
      const at = (delta: number) => {
        const kept = w.read().dataSync().slice();
        const moved = kept.slice();
        moved[0]! += delta;
        w.write(tf.tensor(moved, w.shape as number[]));
        const value = loss().dataSync()[0]!;
        w.write(tf.tensor(kept, w.shape as number[]));
        return value;
      };
      const numeric = (at(0.01) - at(-0.01)) / 0.02;
      expect(Math.abs(gradient - numeric), w.originalName).toBeLessThan(2e-3 + 0.02 * Math.abs(numeric));
    }
  });

  it('one stream stands in tf.sequential; both forms are saved and loaded', async () => {
    const inner = layers.conv2d({ name: 'stem', filters: 5, kernelSize: 3, inputShape: [8, 8, 4] });
    const single = sequential({ layers: [adaptLayer(inner, e3va({ rank: 2 })), layers.flatten()] });
    expect(single.outputs[0]!.shape).toEqual([null, 6 * 6 * 5]);
    for (const original of [single, chain().adapted]) {
      original.trainableWeights.forEach((w, i) => {
        w.write(tf.randomNormal(w.shape as number[], 0, 0.4, 'float32', i + 1));
      });
      const loaded = await reload(original);
      tf.tidy(() => {
        const [a, b] = [original.predict(images()), loaded.predict(images())] as tf.Tensor[];
        expect(maxDifference(a!, b!)).toBe(0);
      });
      const names = (m: LayersModel) => m.trainableWeights.map((w) => w.originalName).sort();
      expect(names(loaded)).toEqual(names(original));
    }
  });
});

describe('adaptLayer', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('takes the weights of a layer that is built, and leaves it alone', () => {
    const dense = layers.dense({ name: 'fc', units: 3, inputShape: [2] });
    const plain = sequential({ layers: [dense] });
    const adapted = sequential({ layers: [adaptLayer(dense, e3va({ rank: 1 }))] });
    tf.tidy(() => {
      const x = tf.tensor2d([[1, -2]]);
      expect(maxDifference(plain.predict(x) as tf.Tensor, adapted.predict(x) as tf.Tensor)).toBeLessThan(
        1e-6,
      );
    });
    adapted.dispose();
    expect(plain.countParams()).toBe(9);
    expect([...(plain.predict(tf.zeros([1, 2])) as tf.Tensor).dataSync()]).toEqual([0, 0, 0]);
  });

  it('refuses streams of two shapes', () => {
    const streams = [input({ shape: [4] }), input({ shape: [5] })];
    expect(() => adaptLayer(layers.dense({ units: 3 }), e3va()).apply(streams)).toThrow(/apply\(\[x, x\]\)/);
  });
});
