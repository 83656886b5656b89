import { HubSettingError } from '../errors.ts';
import type { Checksum } from '../file-id.ts';

/** A checksum of a Blob in hexadecimal digits. Git's is that of its length and contents. */
export async function checksumOfBlob(content: Blob, algorithm: Checksum['algorithm']): Promise<string> {
  if (!globalThis.crypto?.subtle) {
    throw new HubSettingError({
      what: 'this page cannot verify what it downloads',
      expected: 'a page of https or of localhost',
      fix: 'open the page over https',
    });
  }
  const hashed = algorithm === 'git' ? new Blob([`blob ${content.size}\0`, content]) : content;
  const digest = await crypto.subtle.digest(
    algorithm === 'git' ? 'SHA-1' : 'SHA-256',
    await hashed.arrayBuffer(),
  );
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
