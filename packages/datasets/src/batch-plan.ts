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
  /** Tells repeats of a sample within an epoch apart: the index, then index + length, index + 2 · length … */
  draw: number;
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
 * @param orderOf Which samples an epoch takes. Default: {@link plainOrder}.
 * @throws OptionError, EmptyDatasetError
 */
export function batchPlan(
  length: number,
  options: PlanOptions,
  orderOf: EpochOrder = plainOrder(length, options),
): BatchPlan {
  const { batchSize = 1, repeat = false, dropLast = false, startBatch = 0 } = options;
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
  const order = lastOrder(orderOf);
  return {
    first: startBatch,
    count: Math.max(0, total - startBatch),
    samplesOf(batch, firstEpoch) {
      const from = batch * batchSize;
      const size = repeat ? batchSize : Math.min(batchSize, length - from);
      return Array.from({ length: size }, (_, i) => {
        const passes = Math.floor((from + i) / length);
        const head = (batchSize - ((passes * length) % batchSize)) % batchSize;
        const epoch = firstEpoch + passes;
        const draw = order(epoch, head)[(from + i) % length]!;
        return { epoch, index: draw % length, draw };
      });
    },
  };
}

/**
 * The {@link Draw.draw} of each sample of an epoch in order, as many as the split has samples. `head` of them complete the last batch of
 * the epoch before.
 */
export type EpochOrder = (epoch: number, head: number) => Uint32Array;

/** Every sample once: in the order of the split, or shuffled anew for each epoch. */
export function plainOrder(length: number, { shuffle = false, seed = 0 }: PlanOptions): EpochOrder {
  const inOrder = Uint32Array.from({ length }, (_, i) => i);
  return (epoch) => (shuffle ? shuffledOrder(length, seed, epoch) : inOrder);
}

/** The order of an epoch; the last one is kept. */
function lastOrder(orderOf: EpochOrder): EpochOrder {
  let kept: { epoch: number; head: number; order: Uint32Array } | undefined;
  return (epoch, head) => {
    if (kept?.epoch !== epoch || kept.head !== head) kept = { epoch, head, order: orderOf(epoch, head) };
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
