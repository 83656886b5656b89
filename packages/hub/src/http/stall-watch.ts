import { HubStallError } from '../errors.ts';
import type { HubSettings } from '../settings.ts';

/** Ends a request when nothing has come for the stall timeout. */
export interface StallWatch {
  /** For `fetch`: ends on a stall and on the caller's own signal. */
  readonly signal: AbortSignal;
  /** Something came. */
  touch(): void;
  /** Nothing is waited for any more. */
  stop(): void;
}

/**
 * Starts to watch.
 *
 * @param what What is waited for, for the message.
 * @param timeout Milliseconds; 0 watches only the caller's signal.
 */
export function watchStall(settings: HubSettings, what: string, timeout = settings.stallTimeout): StallWatch {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stalled = () =>
    controller.abort(
      new HubStallError({
        what: `${what} stalled`,
        expected: 'some bytes',
        received: `none for ${timeout / 1000} seconds`,
        fix: 'check the network, or give more time by stallTimeout; the download resumes where it ended',
      }),
    );
  const touch = () => {
    clearTimeout(timer);
    if (timeout > 0) timer = setTimeout(stalled, timeout);
  };
  touch();
  const { signal } = settings;
  return {
    signal: signal ? AbortSignal.any([controller.signal, signal]) : controller.signal,
    touch,
    stop: () => clearTimeout(timer),
  };
}
