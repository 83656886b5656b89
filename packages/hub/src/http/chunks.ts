import { E3vaError } from '@e3va/highway-grad';
import { HubResponseError } from '../errors.ts';
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

/** Most bytes of an answer that describes something. */
const largest = 2 ** 25;

/**
 * The whole body of an answer that describes something, and is no file.
 *
 * @throws {@link HubResponseError} if it does not end.
 */
export async function wholeBody(
  settings: HubSettings,
  response: Response,
  watch: StallWatch,
  what: string,
): Promise<Blob> {
  const parts: BlobPart[] = [];
  let size = 0;
  for await (const part of chunksOf(settings, response, watch, what)) {
    size += part.byteLength;
    if (size > largest) {
      const expected = `at most ${largest} bytes`;
      throw new HubResponseError({ what: `the hub's answer for ${what} does not end`, expected });
    }
    parts.push(part);
  }
  return new Blob(parts);
}
