/**
 * An asynchronous iterator that produces items ahead of their use: at most `depth` are finished or under way beyond the
 * one asked for. Nothing starts before the first `next()`.
 *
 * The items wait as they are, so they should hold no tensors: when the consumer stops, they are garbage and no more.
 * (`Dataset.prefetch` of TensorFlow.js would hold tensors that nobody disposes of, and an item that fails while nobody
 * waits for it would end the process as an unhandled rejection.) After an item fails, the iterator is at its end.
 *
 * @param count Number of items, or `Infinity`.
 * @param produce Makes item `index`.
 */
export function prefetched<T>(
  count: number,
  depth: number,
  produce: (index: number) => Promise<T>,
): AsyncIterator<T> {
  const waiting: Promise<T>[] = [];
  let started = 0;
  let ended = false;
  const fill = (limit: number) => {
    while (!ended && waiting.length < limit && started < count) {
      const item = produce(started++);
      item.catch(() => {}); // reported to whoever asks for the item
      waiting.push(item);
    }
  };
  const end = () => {
    ended = true;
    waiting.length = 0;
    return { value: undefined, done: true } as const;
  };
  return {
    async next() {
      fill(depth + 1);
      const item = waiting.shift();
      if (!item) return end();
      try {
        const value = await item;
        return { value, done: false };
      } catch (error) {
        end();
        throw error;
      }
    },
    return: async () => end(),
  };
}
