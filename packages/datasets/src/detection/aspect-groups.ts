import type { EpochOrder } from '../batch-plan.ts';

/**
 * An order whose batches hold images of one kind, wide or not: they need less padding then. As they come, images go to the batch
 * of their kind that is being filled, and a full batch joins the order. What is left at the end makes up the last batches, and the
 * first samples complete the last batch of the epoch before: these may be mixed. It holds what the given order holds.
 *
 * Source: the grouping of mmdetection's `AspectRatioBatchSampler` and of torchvision's detection references.
 */
export function groupedByAspect(
  orderOf: EpochOrder,
  batchSize: number,
  isWide: (draw: number) => boolean,
): EpochOrder {
  return (epoch, head) => {
    const given = orderOf(epoch, head);
    const grouped = [...given.subarray(0, head)];
    const [wide, high]: [number[], number[]] = [[], []];
    for (const draw of given.subarray(head)) {
      const group = isWide(draw) ? wide : high;
      group.push(draw);
      if (group.length === batchSize) grouped.push(...group.splice(0));
    }
    return Uint32Array.from([...grouped, ...wide, ...high]);
  };
}
