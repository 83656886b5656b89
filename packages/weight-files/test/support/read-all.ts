// Run in a process of its own: opens a weight file, reads every tensor, says by how much memory grew at most (bytes).
// Needs --expose-gc.
import { openWeights } from '../../src/index.ts';

async function main(path: string): Promise<void> {
  const before = process.memoryUsage().rss;
  const file = await openWeights(path);
  let [numbers, growth] = [0, 0];
  for (const name of file.entries.keys()) {
    gc!(); // what was read before is garbage, and is only still there because nothing asked for its room
    numbers += (await file.read(name)).data.length;
    growth = Math.max(growth, process.memoryUsage().rss - before);
  }
  await file.close();
  console.log(JSON.stringify({ numbers, growth }));
}

void main(process.argv[2]!);
