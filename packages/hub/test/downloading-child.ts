/** A process that downloads a file and tells how far it is: endpoint, cache, repository, path. */
import { resolveFile } from '../src/index.ts';

const [endpoint, cacheDir, repo, path] = process.argv.slice(2) as [string, string, string, string];
let told = -1;
const file = await resolveFile({
  endpoint,
  cacheDir,
  repo,
  path,
  token: false,
  onProgress: ({ received }) => {
    const million = Math.floor(received / 1e6);
    if (million > told) console.log(`received ${received}`);
    told = million;
  },
});
console.log(`file ${file}`);
