import type { HubProgress } from '@e3va/hub';

/** What a line of progress is written to. */
interface Stream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * Shows downloads: on a terminal one line that changes at most five times a second, elsewhere a line at the start of each file and one
 * at its end.
 */
export function downloadLine(stream: Stream = process.stderr): (progress: HubProgress) => void {
  const begun = new Set<string>();
  let last = 0;
  return ({ file, received, total }) => {
    const done = received >= total;
    const first = !begun.has(file);
    begun.add(file);
    if (stream.isTTY) {
      if (!done && Date.now() - last < 200) return;
      last = Date.now();
      const percent = total > 0 ? Math.floor((100 * received) / total) : 100;
      stream.write(`\r${file}: ${percent} % of ${megabytes(total)}${done ? '\n' : ''}`);
    } else if (first || done) {
      stream.write(`${done ? 'downloaded' : 'downloading'} ${file}, ${megabytes(total)}\n`);
    }
    if (done) begun.delete(file);
  };
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${Math.round(bytes / 1e6)} MB`;
}
