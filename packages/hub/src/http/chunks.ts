import { E3vaError } from '@e3va/highway-grad';
import type { HubSettings } from '../settings.ts';
import type { StallWatch } from './stall-watch.ts';
import { brokenError } from './status-error.ts';

/** The pieces of a body as they come. Whoever stops early ends the connection. */
export async function* chunksOf(
  settings: HubSettings,
  response: Response,
  watch: StallWatch,
  what: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  if (!reader) return;
  let open = true;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      watch.touch();
      if (done) break;
      yield value;
      watch.touch(); // what was done with the piece took time too
    }
    open = false;
  } catch (cause) {
    open = false;
    throw E3vaError.isInstance(cause) ? cause : brokenError(settings, what, cause);
  } finally {
    if (open) await reader.cancel().catch(() => {});
  }
}
