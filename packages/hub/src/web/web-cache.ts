import type { HubSettings } from '../settings.ts';

/** Name of this package's files in Cache Storage. */
const cacheName = 'e3va-hub';

/** Files that a browser keeps, by address. */
export interface WebCache {
  get(key: string): Promise<Blob | undefined>;
  put(key: string, content: Blob): Promise<void>;
  /** Runs something while no other tab does it for the same key. */
  alone<T>(key: string, run: () => Promise<T>): Promise<T>;
}

/** Opens the browser's cache; where there is none, nothing is kept, and a warning says so. */
export async function webCache({ warn }: HubSettings): Promise<WebCache> {
  const cache = await globalThis.caches?.open(cacheName).catch(() => undefined);
  if (!cache) warn('This page has no Cache Storage: models are downloaded each time. Open it over https.');
  return {
    async get(key) {
      return (await cache?.match(key))?.blob();
    },
    async put(key, content) {
      try {
        await cache?.put(key, new Response(content));
      } catch (error) {
        warn(`This browser has no space to keep ${key}: ${(error as Error).message}`);
      }
    },
    async alone(key, run) {
      const locks = globalThis.navigator?.locks;
      return locks ? locks.request(`${cacheName} ${key}`, run) : run();
    },
  };
}
