import { HubNameError } from './errors.ts';

/** A model on a hub: `organisation/name`, or a name alone for some of the oldest. */
export interface ModelId {
  repo: string;
  /** Branch, tag or commit hash. */
  revision: string;
}

/** The revision that is taken unless another is named. */
export const defaultRevision = 'main';

/**
 * Takes `organisation/name` or `organisation/name@revision` apart.
 *
 * @throws {@link HubNameError} if it is not one.
 *
 * @example
 * ```ts
 * import { parseModelId } from '@e3va/hub';
 *
 * console.log(parseModelId('microsoft/swin-tiny-patch4-window7-224@main').repo);
 * ```
 */
export function parseModelId(id: string): ModelId {
  if (typeof id !== 'string')
    throw wrong('model id', id, "'organisation/name' or 'organisation/name@revision'");
  const at = id.indexOf('@');
  const repo = at < 0 ? id : id.slice(0, at);
  const revision = at < 0 ? defaultRevision : id.slice(at + 1);
  return { repo: checkRepo(repo), revision: checkRevision(revision) };
}

/** Returns the name of a repository; {@link HubNameError} if no hub could have it. */
export function checkRepo(repo: string): string {
  const parts = typeof repo === 'string' ? repo.split('/') : [];
  const good =
    parts.length >= 1 &&
    parts.length <= 2 &&
    repo.length <= 96 &&
    parts.every((part) => /^[A-Za-z0-9_]([\w.-]*\w)?$/.test(part)) &&
    !/--|\.\.|\.git$/i.test(repo);
  if (good) return repo;
  throw wrong(
    'name of a repository',
    repo,
    "'organisation/name' of letters, digits, '-', '_' and '.', at most 96 characters, without '--' and '..'",
  );
}

/** Whether a text has the form of the name of a repository. */
export function isRepo(text: string): boolean {
  try {
    return checkRepo(text) === text;
  } catch {
    return false;
  }
}

/** Returns the path of a file in a repository; {@link HubNameError} if it could lead elsewhere. */
export function checkPath(path: string): string {
  if (typeof path === 'string' && path.length <= 1024 && path.split('/').every(isPlainName)) return path;
  throw wrong(
    'path in a repository',
    path,
    "names joined by '/', without '..', '\\', ':', control characters, encoded dots or slashes and names that Windows reserves",
  );
}

/** Returns a branch, tag or commit hash; {@link HubNameError} if Git could not have it. */
export function checkRevision(revision: string): string {
  const good =
    typeof revision === 'string' &&
    revision.length <= 255 &&
    revision
      .split('/')
      .every((part) => isPlainName(part) && !part.startsWith('.') && !/\.lock$/i.test(part)) &&
    !/[\s~^@{[\]]|\.\./.test(revision);
  if (good) return revision;
  throw wrong('revision', revision, "the name of a branch or tag, or a commit hash of 40 digits: 'main'");
}

/** Whether a revision names one commit for all times. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)$/i;

/** Whether a name is that of a file or folder on every system, and no step elsewhere. */
function isPlainName(name: string): boolean {
  if (name === '' || name.length > 200 || new TextEncoder().encode(name).length > 240) return false;
  if (/[\\:*?"<>|]|\p{C}/u.test(name) || /[. ]$|^ /.test(name)) return false; // '.' and '..' end in a dot
  if (/%(2e|2f|5c|00)/i.test(name)) return false;
  return !reserved.test(name.split('.')[0]!.trimEnd());
}

function wrong(kind: string, received: unknown, expected: string): HubNameError {
  return new HubNameError({ what: `not a ${kind}`, expected, received: shown(received) });
}

/** Something of a stranger for a message: not too long, and in one line. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : String(value);
  const flat = text.replace(/\p{C}/gu, '\u00b7');
  return flat.length > 120 ? `${flat.slice(0, 120)}…` : flat;
}
