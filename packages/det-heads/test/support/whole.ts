import { readFileSync } from 'node:fs';
import { decodeSafetensors } from '@e3va/adapter-core';
import { memoryWeights, type WeightFile } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import { toNhwc } from '../../../../tests/support/tensors.ts';
import type { Level } from '../../src/batch.ts';

/** A small detector of a fixture: its weights as a checkpoint, and what the reference puts out with them. */
export class WholeReference {
  private readonly tensors;
  private readonly metadata: Record<string, string>;

  constructor(private readonly name: string) {
    const bytes = readFileSync(new URL(`../fixtures/${name}.safetensors`, import.meta.url));
    ({ tensors: this.tensors, metadata: this.metadata } = decodeSafetensors(new Uint8Array(bytes), name));
  }

  /** The weights under the names of the reference, or under others. */
  file(renamed: (name: string) => string = (name) => name, metadata = this.metadata): WeightFile {
    const weights = [...this.tensors].filter(([key]) => !key.startsWith('expected.'));
    const entries = weights.map(([key, tensor]) => [renamed(key), tensor] as const);
    return memoryWeights(new Map(entries), { name: this.name, metadata });
  }

  data(name: string): Float32Array {
    return Float32Array.from(this.tensors.get(`expected.${name}`)!.data);
  }

  /** `pyramid.0` and so on, as many as there are. */
  maps(prefix: string): tf.Tensor4D[] {
    const maps: tf.Tensor4D[] = [];
    for (let i = 0; this.tensors.has(`expected.${prefix}.${i}`); i++) {
      const { shape } = this.tensors.get(`expected.${prefix}.${i}`)!;
      maps.push(toNhwc({ shape, data: this.data(`${prefix}.${i}`) }));
    }
    return maps;
  }

  /** The image as the network gets it, from the fixture of the backbone. */
  image(): tf.Tensor4D {
    const pixels = tf.tensor(this.data('image'), [1, ...wholeSize, 3]) as tf.Tensor4D;
    return tf.div(tf.sub(pixels, 128), 64);
  }
}

const wholeSize = [96, 128] as const;

/** Of the image of the fixtures. */
export const wholeImage = { height: wholeSize[0], width: wholeSize[1] };

/** The levels of the fixtures' backbone. */
export const wholeLevels: Level[] = [8, 16, 32, 64].map((channels, i) => ({
  name: `level${i}`,
  channels,
  stride: 4 << i,
}));
