import { HubUnavailableError } from '../errors.ts';
import type { HubSettings } from '../settings.ts';

/** Tries after the first. */
const furtherTries = 3;

/** Longest wait that a server may ask for. */
const longestWait = 60;

/** How {@link retried} goes on after a failure. */
export interface RetryRules {
  /** Whether a failure may pass by; by default an unavailable hub that was reached. */
  again?: (error: unknown) => boolean;
  /** Whether a try brought so much that the count begins anew. */
  advanced?: () => boolean;
}

/** Runs something until it succeeds, the tries are used up, or it fails for good. Waits longer each time. */
export async function retried<T>(
  { retryDelay, signal }: HubSettings,
  run: () => Promise<T>,
  { again = isPassing, advanced = () => false }: RetryRules = {},
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (advanced()) tries = 1;
      const asked = error instanceof HubUnavailableError ? (error.retryAfter ?? 0) : 0;
      if (!again(error) || tries > furtherTries || asked > longestWait) throw error;
      await wait(Math.max(asked * 1000, retryDelay * 2 ** (tries - 1)), signal);
    }
  }
}

/** Whether a failure may pass by: not if there is no network at all. */
export function isPassing(error: unknown): boolean {
  return error instanceof HubUnavailableError && !error.unreachable;
}

/** Waits; the signal's reason is thrown if it ends the wait. */
export function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const ended = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', ended);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', ended, { once: true });
  });
}
