import type { TensorContainer } from '@tensorflow/tfjs-core';
import { type Dataset, generator } from '@tensorflow/tfjs-data';
import type { BatchPlan, Draw, PlanOptions } from './batch-plan.ts';
import { prefetched } from './prefetch.ts';

/**
 * A `tf.data` dataset of the batches of a plan. Batches are loaded ahead of use; tensors are made when a batch is asked for, so
 * a consumer that stops early leaves none behind.
 *
 * @param load Reads the samples of a batch into plain arrays.
 * @param toTensors Makes the tensors of what was loaded.
 */
export function streamOf<P, B extends TensorContainer>(
  plan: BatchPlan,
  { epoch = 0, repeat = false, prefetch }: PlanOptions & { prefetch: number },
  load: (draws: Draw[]) => Promise<P>,
  toTensors: (loaded: P) => B,
): Dataset<B> {
  let iterations = 0;
  const iterator = async () => {
    const firstEpoch = epoch + (repeat ? 0 : iterations++);
    const ahead = prefetched(plan.count, prefetch, (i) => load(plan.samplesOf(plan.first + i, firstEpoch)));
    return {
      async next() {
        const item = await ahead.next();
        return item.done ? item : { value: toTensors(item.value), done: false };
      },
    };
  };
  // An asynchronous iterator is allowed, only the type of generator() knows none.
  const dataset = generator(iterator as unknown as () => Promise<Iterator<B>>);
  return Object.assign(dataset, { size: plan.count });
}
