import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { registerTrainingKernels } from '@e3va/highway-grad';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Adapted, adapt, type E3vaOptions, e3va, type SafetensorsTensor } from '../src/index.ts';
import { maxDifference } from './tiny-model.ts';
import { fixture, lossOf, tensorOf, tinySwin, tinySwinImages } from './tiny-swin.ts';

/** The reference's tensor `${kind}.adapters…` for one of our stacked weights: factors transposed, adapters stacked. */
function stacked(
  reference: Map<string, SafetensorsTensor>,
  kind: 'param' | 'grad',
  stage: number,
  name: string,
): tf.Tensor {
  const blocks = [0, 1];
  const [part, factor] = name === 'kernels' ? ['', 'K'] : name.split('_');
  const torch = { q: 'Q', p: 'P', bias: 'b', K: 'K' }[factor!];
  const list = blocks.flatMap((b) =>
    [0, 1].map((i) => `${kind}.adapters.${stage}.${b}.${i}.${part ? `${part}.` : ''}${torch}`),
  );
  return tf.stack(
    list.map((key) => {
      const t = tensorOf(reference.get(key)!);
      return t.rank > 1
        ? tf.transpose(t, [...t.shape.keys()].slice(0, -2).concat([t.rank - 1, t.rank - 2]))
        : t;
    }),
  );
}

/** The reference's value or gradient of one trainable weight of the highway. */
function referenceOf(
  reference: Map<string, SafetensorsTensor>,
  kind: 'param' | 'grad',
  name: string,
): tf.Tensor {
  const [layer, weight] = name.split('/') as [string, string];
  const norm = /norm(\d)$/.exec(layer);
  if (norm)
    return tensorOf(reference.get(`${kind}.norms.${norm[1]}.${weight === 'gamma' ? 'weight' : 'bias'}`)!);
  return stacked(reference, kind, Number(/stage(\d)$/.exec(layer)![1]), weight);
}

const cases: [string, E3vaOptions][] = [
  ['pq', { rank: 4 }],
  ['pkq', { form: 'pkq', alpha: 2, beta: 3 }],
  ['pq_levels234', { rank: 4, levels: [1, 2, 3] }],
];

describe.each(['cpu', 'wasm'])('the highway on a Swin equals the reference on %s', (backend) => {
  let base: LayersModel;
  let images: tf.Tensor;
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
    base = await tinySwin();
    images = tinySwinImages();
  });

  it.each(cases)('%s: levels to 1e-4, gradients to 1e-5 + 1e-4 relative', (name, options) => {
    const reference = fixture(`fixtures/${name}.safetensors`);
    const adapted = adapt(base, e3va(options));
    setReference(adapted, reference);
    tf.tidy(() => {
      const stages = options.levels ?? [0, 1, 2, 3];
      const gs = stages.map((s) => tensorOf(reference.get(`g.${s}`)!));
      adapted.apply(images).forEach((level, i) => {
        expect(maxDifference(level, tensorOf(reference.get(`level.${stages[i]}`)!))).toBeLessThan(1e-4);
      });
      const variables = adapted.trainableWeights.map((w) => w.read() as tf.Variable);
      const { value, grads } = tf.variableGrads(
        () => lossOf(adapted.apply(images, { training: true }), gs),
        variables,
      );
      expect(value.dataSync()[0]).toBeCloseTo(reference.get('loss')!.data[0]!, 4);
      adapted.trainableWeights.forEach((w, i) => {
        const expected = referenceOf(reference, 'grad', w.originalName);
        const size = tf.max(tf.abs(expected)).dataSync()[0]!;
        expect(maxDifference(grads[variables[i]!.name]!, expected), w.originalName).toBeLessThan(
          1e-5 + 1e-4 * size,
        );
      });
    });
  });

  it('a fresh highway gives the pyramid of the base bit for bit', () => {
    const adapted = adapt(base, e3va());
    tf.tidy(() => {
      const own = base.predict(images) as tf.Tensor[];
      adapted.apply(images).forEach((level, i) => {
        expect(level.dataSync()).toEqual(own[i]!.dataSync());
      });
    });
  });
});

function setReference(adapted: Adapted, reference: Map<string, SafetensorsTensor>): void {
  tf.tidy(() => {
    for (const w of adapted.trainableWeights) w.write(referenceOf(reference, 'param', w.originalName));
  });
}
