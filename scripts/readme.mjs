// Copies generated tables into README.md, between `<!-- from FILE -->` and `<!-- end -->`.
//   node scripts/readme.mjs            writes README.md
//   node scripts/readme.mjs --check    only says whether it is up to date
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib/workspace.mjs';

const path = join(root, 'README.md');
const before = readFileSync(path, 'utf8');
const after = before.replaceAll(
  /(<!-- from (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
  (text, open, file, close) => {
    const source = join(root, file);
    return existsSync(source) ? `${open}\n${readFileSync(source, 'utf8').trim()}\n\n${close}` : text;
  },
);
if (after !== before && process.argv.includes('--check')) {
  console.error('README.md shows an old table\nto do: node scripts/readme.mjs');
  process.exit(1);
}
if (after !== before) writeFileSync(path, after);
