import { EmptyDatasetError, OptionError } from './errors.ts';
import { shuffledOrder } from './rng.ts';

/** Which samples a stream takes, in which order. */
export interface PlanOptions {
  /** Samples of a batch. Default: 1. */
  batchSize?: number;
  /** Whether the order is drawn anew for each epoch. Default: false. */
  shuffle?: boolean;
  /** Whether the stream goes on for ever. Then batches run on over the end of an epoch and all are full. Default: false. */
  repeat?: boolean;
  /** Whether to leave out a last batch that is not full, without `repeat`. Default: false. */
  dropLast?: boolean;
  /** Seed of order and transforms. Default: 0. */
  seed?: number;
  /** The first epoch. Default: 0. Without `repeat`, each further iteration of the stream is the next epoch. */
  epoch?: number;
  /** Batches to skip without reading them, to resume a run. Default: 0. */
  startBatch?: number;
}

/** Number of batches of one pass over `samples` samples. */
export function batchesPerEpoch(samples: number, batchSize: number, dropLast = false): number {
  return dropLast ? Math.floor(samples / batchSize) : Math.ceil(samples / batchSize);
}

/** A sample by epoch and index within the split. */
export interface Draw {
  epoch: number;
  index: number;
}

/** Which samples make up which batch. */
export interface BatchPlan {
  /** The first batch. */
  first: number;
  /** How many batches follow from there. */
  count: number;
  samplesOf(batch: number, firstEpoch: number): Draw[];
}

/**
 * The batches of a split of `length` samples. Nothing is carried from batch to batch, so any of them may be the first.
 *
 * @param order Which samples an epoch takes, in place of a shuffle.
 * @throws OptionError, EmptyDatasetError
 */
export function batchPlan(length: number, options: PlanOptions, order?: EpochOrder): BatchPlan {
  const {
    batchSize = 1,
    shuffle = false,
    repeat = false,
    dropLast = false,
    seed = 0,
    startBatch = 0,
  } = options;
  assertCount('batchSize', batchSize, 1);
  assertCount('startBatch', startBatch, 0);
  if (length === 0) throw new EmptyDatasetError({ what: 'the split to stream holds no sample' });
  const total = repeat ? Number.POSITIVE_INFINITY : batchesPerEpoch(length, batchSize, dropLast);
  if (total === 0) {
    throw new EmptyDatasetError({
      what: 'the split is smaller than one batch and dropLast is set, so there is no batch',
      expected: `at least ${batchSize} samples`,
      received: String(length),
      fix: 'lower batchSize, or set repeat',
    });
  }
  const inOrder = Uint32Array.from({ length }, (_, i) => i);
  const orderOf = lastOrder(order ?? ((epoch) => (shuffle ? shuffledOrder(length, seed, epoch) : inOrder)));
  return {
    first: startBatch,
    count: Math.max(0, total - startBatch),
    samplesOf(batch, firstEpoch) {
      const from = batch * batchSize;
      const size = repeat ? batchSize : Math.min(batchSize, length - from);
      return Array.from({ length: size }, (_, i) => {
        const epoch = firstEpoch + Math.floor((from + i) / length);
        return { epoch, index: orderOf(epoch)[(from + i) % length]! };
      });
    },
  };
}

/** The samples of an epoch in order; as many as the split has. */
export type EpochOrder = (epoch: number) => Uint32Array;

/** The order of an epoch; the last one is kept. */
function lastOrder(orderOf: EpochOrder): EpochOrder {
  let kept: { epoch: number; order: Uint32Array } | undefined;
  return (epoch) => {
    if (kept?.epoch !== epoch) kept = { epoch, order: orderOf(epoch) };
    return kept.order;
  };
}

/** @throws OptionError unless the option is an integer of at least `least`. */
export function assertCount(option: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new OptionError({
    what: `${option} is out of range`,
    expected: `an integer of at least ${least}`,
    received: String(value),
  });
}
