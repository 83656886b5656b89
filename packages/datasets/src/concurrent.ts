/**
 * Applies an asynchronous function to every item, `limit` at a time. Results keep the order of the items.
 * If some fail, the error of the first failed item is thrown, after those under way have ended.
 */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  limit: number,
  apply: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const failed: { index: number; error: unknown }[] = [];
  const work = async () => {
    while (next < items.length && failed.length === 0) {
      const index = next++;
      try {
        results[index] = await apply(items[index]!, index);
      } catch (error) {
        failed.push({ index, error });
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  failed.sort((a, b) => a.index - b.index);
  if (failed[0]) throw failed[0].error;
  return results;
}
