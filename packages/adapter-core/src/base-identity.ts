import { E3vaError } from '@e3va/highway-grad';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { type BaseFingerprint, fingerprint } from './fingerprint.ts';

/** The weights of a base model are no longer those that it was adapted with. */
export class BaseChangedError extends E3vaError {}

/** Remembers which weights a base model had, and knows its fingerprint. */
export class BaseIdentity {
  private readonly base: LayersModel;
  private readonly weights: LayerVariable[];
  /** What holds each weight's values: another object after every write. */
  private readonly buffers: object[];
  private known: Promise<BaseFingerprint> | undefined;

  constructor(base: LayersModel) {
    this.base = base;
    this.weights = base.weights;
    this.buffers = this.weights.map((w) => w.read().dataId);
  }

  /** @throws {@link BaseChangedError} if a weight was written since. */
  check(): void {
    const changed = this.weights.filter((w, i) => w.read().dataId !== this.buffers[i]);
    if (changed.length === 0) return;
    throw new BaseChangedError({
      what: `the weights of base model '${this.base.name}' have changed since it was adapted`,
      expected: 'the weights of that time: an adapter fits no others',
      received: `${changed.length} other weights, the first is ${changed[0]!.originalName}`,
      fix: 'load or train the base before adapt(), or adapt it again',
    });
  }

  /** The fingerprint of the base; computed once. */
  async fingerprint(): Promise<BaseFingerprint> {
    this.check();
    this.known ??= fingerprint(this.base);
    return this.known;
  }
}
