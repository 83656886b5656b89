import type { Asked } from './http/status-error.ts';
import { isCommit } from './names.ts';
import type { HubSettings } from './settings.ts';

/** A file of a repository at a revision. */
export interface FileId {
  repo: string;
  path: string;
  revision: string;
}

/** A checksum, in hexadecimal digits. */
export interface Checksum {
  algorithm: 'sha256' | 'git';
  value: string;
}

/** Where a file is read from. */
export function addressOf({ endpoint }: HubSettings, { repo, path, revision }: FileId): string {
  const file = path.split('/').map(encodeURIComponent).join('/');
  return `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${file}`;
}

/** What is asked, in words. */
export function askedOf({ repo, path, revision }: FileId): Asked {
  return { repo, what: `${path} of ${repo}${isCommit(revision) ? '' : ` (${revision})`}` };
}

/** The checksum that hexadecimal digits are, by their number. */
export function checksumOf(etag: string): Checksum | undefined {
  if (/^[0-9a-f]{64}$/.test(etag)) return { algorithm: 'sha256', value: etag };
  return /^[0-9a-f]{40}$/.test(etag) ? { algorithm: 'git', value: etag } : undefined;
}
