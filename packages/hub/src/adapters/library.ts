import { E3vaError } from '@e3va/highway-grad';
import { HubResponseError, HubSettingError } from '../errors.ts';
import { wholeBody } from '../http/chunks.ts';
import { send } from '../http/send.ts';
import { watchStall } from '../http/stall-watch.ts';
import { type Asked, statusError } from '../http/status-error.ts';
import { isNode } from '../node.ts';
import type { HubSettings } from '../settings.ts';

type Library = typeof import('@huggingface/hub');

/**
 * Lets `@huggingface/hub` change something on a hub, with a `fetch` of this package. What the library makes of an answer that it cannot
 * read becomes a {@link HubResponseError}.
 */
export async function viaLibrary<T>(
  settings: HubSettings,
  asked: Asked,
  call: (library: Library, common: { hubUrl: string; fetch: typeof fetch }) => Promise<T>,
): Promise<T> {
  const library = await load();
  try {
    return await call(library, { hubUrl: settings.endpoint, fetch: libraryFetch(settings, asked) });
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

/** Loads the library. Its name is a variable: bundlers for browsers cannot resolve what the library needs of Node. */
async function load(): Promise<Library> {
  if (!isNode()) {
    throw new HubSettingError({
      what: 'a browser cannot push',
      fix: 'save the adapter, and push it by Node',
    });
  }
  const name = '@huggingface/hub';
  return import(/* @vite-ignore */ /* webpackIgnore: true */ name);
}

/**
 * The `fetch` that the library is given: it knows the token, and throws this package's errors for every status but those of success and of
 * a conflict, which the library's callers understand. Each request is made once, and its answer may take its time.
 */
function libraryFetch(settings: HubSettings, asked: Asked): typeof fetch {
  return async (input, init) => {
    const watch = watchStall(settings, asked.what, 0);
    try {
      const call = { ...asked, url: String(input), watch, ...(init && { init }) };
      const { response } = await send(settings, call);
      if (!response.ok && response.status !== 409) {
        await response.body?.cancel();
        throw statusError(settings, asked, response);
      }
      const { status, headers } = response;
      const body = await wholeBody(settings, response, watch, asked.what);
      const whole = new Response(status === 204 ? null : body, { status, headers });
      Object.defineProperty(whole, 'url', { value: response.url });
      return whole;
    } finally {
      watch.stop();
    }
  };
}
