import type { Checksum } from '../file-id.ts';
import { crypto, fs } from '../node.ts';

/** Bytes that are hashed at a time. */
const piece = 2 ** 20;

/** A checksum of a file on the disk, as it stands there. Git's is that of its length and contents. */
export async function checksumOfFile(
  file: string,
  size: number,
  algorithm: Checksum['algorithm'],
): Promise<string> {
  const hash = crypto().createHash(algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (algorithm === 'git') hash.update(`blob ${size}\0`);
  const handle = await fs().open(file, 'r');
  try {
    const bytes = new Uint8Array(piece);
    for (;;) {
      const { bytesRead } = await handle.read(bytes, 0, piece);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(bytes.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
