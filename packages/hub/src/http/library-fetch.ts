import { E3vaError } from '@e3va/highway-grad';
import { HubResponseError } from '../errors.ts';
import type { HubSettings } from '../settings.ts';
import { chunksOf } from './chunks.ts';
import { retried } from './retry.ts';
import { send } from './send.ts';
import { type StallWatch, watchStall } from './stall-watch.ts';
import { type Asked, statusError } from './status-error.ts';

/** Most bytes of an answer that describes something. */
const largest = 2 ** 25;

/**
 * Calls `@huggingface/hub` with a `fetch` of this package. What the library makes of an answer that it cannot read becomes a
 * {@link HubResponseError}. Requests that change something are made once, and their answers may take their time.
 */
export async function viaLibrary<T>(
  settings: HubSettings,
  asked: Asked,
  call: (common: { hubUrl: string; fetch: typeof fetch }) => Promise<T>,
): Promise<T> {
  try {
    return await call({ hubUrl: settings.endpoint, fetch: libraryFetch(settings, asked) });
  } catch (cause) {
    if (E3vaError.isInstance(cause) || settings.signal?.aborted) throw cause;
    throw new HubResponseError(
      {
        what: `what the server answers for ${asked.what} is not what a hub answers`,
        received: (cause as Error)?.message ?? String(cause),
        fix: `check that ${settings.endpoint} is the address of a hub`,
      },
      { cause },
    );
  }
}

/**
 * The `fetch` that `@huggingface/hub` is given: it knows the token, gives up stalls, tries again, and throws this package's errors
 * for every status that is not one of success, but for a conflict of what is changed.
 */
function libraryFetch(settings: HubSettings, asked: Asked): typeof fetch {
  const changes = asked.write === true;
  const once = async (input: RequestInfo | URL, init?: RequestInit) => {
    const watch = watchStall(settings, asked.what, changes ? 0 : settings.stallTimeout);
    try {
      const call = { ...asked, url: String(input), watch, ...(init && { init }) };
      const { response } = await send(settings, call);
      if (response.ok || (changes && response.status === 409))
        return await buffered(settings, response, watch, asked.what);
      await response.body?.cancel();
      throw statusError(settings, asked, response);
    } finally {
      watch.stop();
    }
  };
  return (input, init) => (changes ? once(input, init) : retried(settings, () => once(input, init)));
}

/** The same answer with its body here: while the library reads, nobody would watch. */
async function buffered(settings: HubSettings, response: Response, watch: StallWatch, what: string) {
  const parts: BlobPart[] = [];
  let size = 0;
  for await (const part of chunksOf(settings, response, watch, what)) {
    size += part.byteLength;
    if (size > largest) throw tooLarge(what);
    parts.push(part);
  }
  const { status, headers } = response;
  const whole = new Response(status === 204 ? null : new Blob(parts), { status, headers });
  Object.defineProperty(whole, 'url', { value: response.url });
  return whole;
}

function tooLarge(what: string): HubResponseError {
  return new HubResponseError({
    what: `the hub's description of ${what} does not end`,
    expected: `at most ${largest} bytes`,
    fix: 'check HF_ENDPOINT',
  });
}
