import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';

/** What identifies a base model: an adapter fits the base that it was trained on, and no other. */
export interface BaseFingerprint {
  name: string;
  layers: number;
  parameters: number;
  /** Hash of the weights' names, shapes and up to 1,024 evenly spaced values each. */
  hash: string;
}

const samples = 1024;

/**
 * The fingerprint of a model, read from its weights.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { layers, sequential } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { fingerprint } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
 * console.log((await fingerprint(model)).parameters); // 8
 * ```
 */
export async function fingerprint(model: LayersModel): Promise<BaseFingerprint> {
  const hash = new Hash();
  let parameters = 0;
  for (const weight of model.weights) {
    hash.text(`${weight.originalName}:${weight.shape.join()};`);
    const values = await (weight.read() as tf.Tensor).data();
    parameters += values.length;
    const stride = Math.max(1, Math.floor(values.length / samples));
    for (let i = 0; i < values.length; i += stride) hash.number(values[i]!);
  }
  return { name: model.name, layers: model.layers.length, parameters, hash: hash.hex() };
}

/**
 * What identifies the taps that a model gives: its weights, as in {@link fingerprint}, and the layers that its outputs come
 * from, with their configurations.
 */
export async function outputFingerprint(model: LayersModel): Promise<string> {
  const hash = new Hash();
  hash.text((await fingerprint(model)).hash);
  hash.text(JSON.stringify({ ...model.getConfig(), name: '' })); // tfjs numbers models without a name
  return hash.hex();
}

/** FNV-1a over 32-bit words in two lanes: tells models apart, no protection against forgery. */
class Hash {
  private a = 0x811c9dc5;
  private b = 0x01000193;
  private readonly float = new Float32Array(1);
  private readonly bits = new Uint32Array(this.float.buffer);

  number(value: number): void {
    this.float[0] = value;
    this.word(this.bits[0]!);
  }

  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.word(text.charCodeAt(i));
  }

  hex(): string {
    return [this.a, this.b].map((n) => (n >>> 0).toString(16).padStart(8, '0')).join('');
  }

  private word(word: number): void {
    this.a = Math.imul(this.a ^ word, 0x01000193);
    this.b = Math.imul(this.b ^ (word >>> 15) ^ this.a, 0x85ebca6b);
  }
}
