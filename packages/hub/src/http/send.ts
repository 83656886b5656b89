import { E3vaError } from '@e3va/highway-grad';
import { HubResponseError } from '../errors.ts';
import { isNode } from '../node.ts';
import type { HubSettings } from '../settings.ts';
import type { StallWatch } from './stall-watch.ts';
import { type Asked, brokenError } from './status-error.ts';

const mostRedirects = 5;

/** An answer, and what the endpoint itself said before it redirected. */
export interface Answer {
  response: Response;
  /** Headers of the endpoint's own answers: of its own kind (`x-…`) the first, of the others the last. */
  hub: Headers;
  /** Whether the answer is the endpoint's own, and not that of a host that it redirects to. */
  own: boolean;
}

/** Which request is made. */
export interface Call extends Asked {
  url: string;
  init?: RequestInit;
  watch: StallWatch;
  /** Whether a redirect's headers say all that is asked, so that it need not be followed. */
  enough?: (headers: Headers) => boolean;
}

/**
 * Makes one request. The token goes to the endpoint alone: in Node redirects are followed here, hop by hop; browsers take it off
 * at other hosts by themselves.
 *
 * @throws {@link HubUnavailableError} if the connection breaks. Statuses are the caller's affair.
 */
export async function send(settings: HubSettings, call: Call): Promise<Answer> {
  const { init = {}, watch, what } = call;
  const hub = new Headers();
  let { url } = call;
  for (let hops = 0; ; hops++) {
    const own = new URL(url).origin === new URL(settings.endpoint).origin;
    const headers = new Headers(init.headers);
    headers.delete('authorization');
    if (own && settings.token !== undefined) headers.set('authorization', `Bearer ${settings.token}`);
    const redirect = isNode() ? 'manual' : 'follow';
    const response = await fetch(url, { ...init, headers, redirect, signal: watch.signal }).catch((cause) => {
      throw E3vaError.isInstance(cause) ? cause : brokenError(settings, what, cause);
    });
    watch.touch();
    if (own) collect(hub, response.headers);
    const target = isRedirect(response) ? response.headers.get('location') : null;
    if (target === null || call.enough?.(hub)) return { response, hub, own };
    await response.body?.cancel();
    if (hops === mostRedirects) throw lost(what, `more than ${mostRedirects} redirects`);
    url = targetOf(url, target, what);
  }
}

function collect(hub: Headers, headers: Headers): void {
  for (const [name, value] of headers) if (!name.startsWith('x-') || !hub.has(name)) hub.set(name, value);
}

function isRedirect({ status }: Response): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

function targetOf(from: string, to: string, what: string): string {
  const url = URL.canParse(to, from) ? new URL(to, from) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url.href;
  throw lost(what, 'a redirect to what is no http or https address');
}

function lost(what: string, received: string): HubResponseError {
  return new HubResponseError({
    what: `the hub does not lead to ${what}`,
    received,
    fix: 'check HF_ENDPOINT',
  });
}
