import { BatchNorm, ChannelDropout, Conv } from '@e3va/head-layers';
import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import { input } from '@tensorflow/tfjs-layers';
import { SegmentationOptionsError } from './errors.ts';
import type { Level } from './level.ts';

/** Options that every head has. */
export interface HeadOptions {
  /** Number of classes: channels of the logits. */
  classes: number;
  /** Probability that a channel is dropped before the classifier, in training; 0.1 by default, as in mmsegmentation. */
  dropout?: number;
  /** Seed of the initial weights and of the dropout masks; without one they differ at each construction. */
  seed?: number;
  /** Name of the model. */
  name?: string;
}

/** Builds the named layers of one head; each random layer gets a seed of its own. */
export class HeadBuilder {
  private drawn = 0;

  constructor(private readonly options: HeadOptions) {
    const { classes, dropout = 0.1, seed } = options;
    checkInteger('classes', classes, 1);
    if (seed !== undefined) checkInteger('seed', seed, 0);
    if (!(dropout >= 0 && dropout < 1)) reject('dropout', 'a number of at least 0 and below 1', dropout);
  }

  /** The input of a level's map of any height and width. */
  input({ name, channels }: Level): SymbolicTensor {
    checkInteger(`channels of level ${name}`, channels, 1);
    return input({ shape: [null, null, channels], name });
  }

  /** `NAME.conv` without bias, over `x` or the maps of `x` joined, then `NAME.norm` with ReLU. */
  convNormRelu(
    name: string,
    x: SymbolicTensor | SymbolicTensor[],
    filters: number,
    kernelSize: number,
  ): SymbolicTensor {
    const conv = new Conv({
      name: `${name}.conv`,
      filters,
      kernelSize,
      useBias: false,
      seed: this.nextSeed(),
    });
    const norm = new BatchNorm({ name: `${name}.norm`, activation: 'relu' });
    return norm.apply(conv.apply(x)) as SymbolicTensor;
  }

  /** `dropout`, then the 1×1 convolution `classifier`. */
  classifier(x: SymbolicTensor): SymbolicTensor {
    const { classes, dropout = 0.1 } = this.options;
    const dropped = new ChannelDropout({ name: 'dropout', rate: dropout, seed: this.nextSeed() }).apply(x);
    const conv = new Conv({ name: 'classifier', filters: classes, seed: this.nextSeed() });
    return conv.apply(dropped) as SymbolicTensor;
  }

  private nextSeed(): number | null {
    const { seed } = this.options;
    this.drawn++;
    return seed === undefined ? null : seed * 1000 + this.drawn; // never 0, which tfjs takes for no seed
  }
}

/** @throws {@link SegmentationOptionsError} unless `value` is an integer of at least `least`. */
export function checkInteger(what: string, value: number, least: number): void {
  if (!(Number.isInteger(value) && value >= least)) reject(what, `an integer of at least ${least}`, value);
}

function reject(what: string, expected: string, value: unknown): never {
  throw new SegmentationOptionsError({ what: `${what} is not valid`, expected, received: String(value) });
}
