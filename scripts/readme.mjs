// Copies generated tables into README.md and the guides, between `<!-- from FILE -->` and `<!-- end -->`.
//   node scripts/readme.mjs            writes them
//   node scripts/readme.mjs --check    only says whether they are up to date
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib/workspace.mjs';

const guides = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
for (const file of ['README.md', ...guides.map((name) => `docs/${name}`)]) {
  const path = join(root, file);
  const before = readFileSync(path, 'utf8');
  const after = before.replaceAll(
    /(<!-- from (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (text, open, table, close) => {
      const source = join(root, table);
      return existsSync(source) ? `${open}\n${readFileSync(source, 'utf8').trim()}\n\n${close}` : text;
    },
  );
  if (after === before) continue;
  if (process.argv.includes('--check')) {
    console.error(`${file} shows an old table\nto do: node scripts/readme.mjs`);
    process.exit(1);
  }
  writeFileSync(path, after);
}
