import { expect, it } from 'vitest';
import { downloadLine } from './download-line.ts';

function shown(isTTY: boolean): { text: () => string; show: ReturnType<typeof downloadLine> } {
  let text = '';
  const show = downloadLine({ isTTY, write: (part: string) => (text += part) });
  return { text: () => text, show };
}

it('tells begin and end of each file where there is no terminal', () => {
  const { text, show } = shown(false);
  for (const received of [0, 10, 2_000_000]) show({ file: 'a.bin', received, total: 2_000_000 });
  show({ file: 'b.json', received: 500, total: 500 });
  expect(text()).toBe('downloading a.bin, 2 MB\ndownloaded a.bin, 2 MB\ndownloaded b.json, 1 kB\n');
});

it('keeps to one line on a terminal, and ends it with the file', () => {
  const { text, show } = shown(true);
  for (let received = 0; received <= 100; received++) show({ file: 'a', received, total: 100 });
  expect(text()).toBe('\ra: 0 % of 1 kB\ra: 100 % of 1 kB\n');
});
