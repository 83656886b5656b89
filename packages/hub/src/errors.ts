import { E3vaError, type ErrorParts } from '@e3va/highway-grad';

/** Base class of what can go wrong between this machine and a hub. */
export class HubError extends E3vaError {}

/** The name of a repository, a path in it or a revision is not one. Nothing was asked of the hub. */
export class HubNameError extends HubError {}

/** A setting is wrong: the address of the hub, the token, a time. Nothing was asked of the hub. */
export class HubSettingError extends HubError {}

/** The hub refuses: no token, a wrong one, or one whose owner has not accepted the licence (401, 403). */
export class HubAccessError extends HubError {}

/** What a hub does not have. */
export type HubMissing = 'repository' | 'revision' | 'file' | 'unknown';

/** The hub has no such repository, revision or file (404). */
export class HubNotFoundError extends HubError {
  /** Which of them is missing, as far as the hub says so. */
  readonly missing: HubMissing;

  constructor(parts: ErrorParts, missing: HubMissing = 'unknown', options?: ErrorOptions) {
    super(parts, options);
    this.missing = missing;
  }
}

/** The hub cannot be reached, breaks connections or is overloaded (429, 5xx), also after further tries. */
export class HubUnavailableError extends HubError {
  /** Seconds after which the hub asks to be tried again. */
  readonly retryAfter: number | undefined;
  /** Whether no connection came about at all: no name, no route, refused. */
  readonly unreachable: boolean;

  constructor(
    parts: ErrorParts,
    {
      retryAfter,
      unreachable = false,
      cause,
    }: ErrorOptions & { retryAfter?: number; unreachable?: boolean } = {},
  ) {
    super(parts, { cause });
    this.retryAfter = retryAfter;
    this.unreachable = unreachable;
  }
}

/** No byte came for the stall timeout, also after further tries. */
export class HubStallError extends HubUnavailableError {}

/** The server answers something that is not what a hub answers: a web page, a wrong range, more bytes than announced. */
export class HubResponseError extends HubError {}

/** What was downloaded is not the file that the hub describes: wrong size or checksum. It was deleted. */
export class HubIntegrityError extends HubError {}

/** The file is not in the cache, and no request may be made: the offline mode is on. */
export class HubOfflineError extends HubError {}

/** There is no space for the file: disk, quota or limit of file size. */
export class HubDiskError extends HubError {}

/** The folder of the cache cannot be read or written. */
export class HubCacheError extends HubError {}

/** A repository, folder or file holds no model: no weights, several, or a damaged config.json. */
export class HubModelError extends HubError {}
