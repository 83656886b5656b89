import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as Tf from '@tensorflow/tfjs-core';

/** Copies the installed tfjs-core to a folder of its own and loads it from there, as a second installation would. */
export function loadSecondCopy(): { tf: typeof Tf; file: string; remove: () => void } {
  const require = createRequire(import.meta.url);
  const core = dirname(require.resolve('@tensorflow/tfjs-core/package.json'));
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'second-tfjs-')));
  const copy = join(folder, 'node_modules/@tensorflow/tfjs-core');
  for (const file of ['package.json', 'dist/tf-core.node.js']) cpSync(join(core, file), join(copy, file));
  // its dependencies are those of the first one
  symlinkSync(join(core, '../..'), join(folder, 'node_modules/@tensorflow/node_modules'), 'dir');
  const file = join(copy, 'dist/tf-core.node.js');
  return { tf: require(file), file, remove: () => rmSync(folder, { recursive: true }) };
}
