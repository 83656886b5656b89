import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress, formatSeconds } from './progress.ts';

const state = { step: 20, loss: 1.23456, imagesPerSecond: 7.5, rss: 300 * 2 ** 20 };

function run(isTTY: boolean): string {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 120,
    cursorTo: () => true,
    clearLine: () => true,
  });
  const progress = createProgress(stream as unknown as NodeJS.WriteStream);
  progress.start(100, 10);
  progress.update(state);
  progress.line('a note');
  progress.stop();
  return String(stream.read() ?? '');
}

describe('createProgress', () => {
  it('writes plain lines where there is no terminal', () => {
    expect(run(false)).toMatch(
      /^step 20\/100 {2}loss 1\.2346 {2}7\.50 images\/s {2}300 MB {2}\d+s left\na note\n$/,
    );
  });

  it('draws a bar on a terminal, with notes above it', () => {
    const text = run(true);
    expect(text).toContain('█');
    expect(text).toContain('20/100');
    expect(text).toContain('loss 1.2346 | 7.50 images/s | 300 MB');
    expect(text).toContain('a note\n');
  });
});

describe('formatSeconds', () => {
  it('takes the two largest units', () => {
    expect([0.4, 59.4, 185, 7620].map(formatSeconds)).toEqual(['0s', '59s', '3m05s', '2h07m']);
  });
});
