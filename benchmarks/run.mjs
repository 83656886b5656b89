// npm run bench -- NAME: runs one benchmark and writes benchmarks/results/NAME.json and NAME.md.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

const [name, ...args] = process.argv.slice(2);
const script = new URL(`./${name}/${name}.mjs`, import.meta.url);
if (!name || !/^[a-z-]+$/.test(name) || !existsSync(script)) {
  const folders = await readdir(new URL('.', import.meta.url), { withFileTypes: true });
  const names = folders.filter(
    (f) => f.isDirectory() && existsSync(new URL(`./${f.name}/${f.name}.mjs`, import.meta.url)),
  );
  console.error(`npm run bench -- NAME, where NAME is one of: ${names.map((f) => f.name).join(', ')}`);
  process.exit(2);
}
const { default: main } = await import(script.href);
await main(args);
