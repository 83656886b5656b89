import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../run/log.ts';
import { escapeHtml, scriptJson } from './escape.ts';
import { renderReport } from './report.ts';

const hostile = '</script><script>alert(1)</script><b title="x">&\u2028';

const log: LogEntry[] = [
  { type: 'train', step: 1, loss: 2, lr: 0.1, ms: 5, imagesPerSecond: 1, rss: 1 },
  { type: 'eval', step: 1, mIoU: 0.25, aAcc: 0.5, mAcc: 0.4, best: true, iou: [0.5, null], acc: [1, null] },
  { type: 'eval', step: 2, mIoU: 0.2, aAcc: 0.5, mAcc: 0.4, best: false, iou: [0.4, 0], acc: [1, 0] },
];
const page = renderReport({
  title: hostile,
  facts: [['Model', hostile]],
  recipe: hostile,
  classes: ['ground', hostile],
  log,
  pictures: [{ name: hostile, image: 'data:a', truth: 'data:b', prediction: 'data:c', overlay: 'data:d' }],
});

describe('renderReport', () => {
  it('stands alone: nothing is loaded from anywhere', () => {
    expect(page).toContain('uPlot=function');
    expect(page).toMatch(/\.uplot[,{ ]/);
    const loaded = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map((m) => m[1]!);
    expect(loaded).toEqual(['data:a', 'data:b', 'data:c', 'data:d']);
    expect(page).not.toMatch(/@import|url\(/);
  });

  it('shows hostile names as text', () => {
    expect(page).not.toContain('<script>alert');
    expect(page.split('</script>')).toHaveLength(4); // the three scripts of the page
    expect(page).toContain(
      '&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;b title=&quot;x&quot;&gt;&amp;',
    );
  });

  it('carries the curves, and the table of the best evaluation', () => {
    const json = /id="data">(.*?)<\/script>/s.exec(page)![1]!;
    expect(JSON.parse(json)).toEqual({
      train: { step: [1], loss: [2], lr: [0.1] },
      eval: { step: [1, 2], mIoU: [0.25, 0.2], aAcc: [0.5, 0.5] },
    });
    expect(page).toContain('after step 1, in per cent');
    expect(page).toMatch(/<td>50\.0<\/td><td>100\.0<\/td>/);
    expect(page).toMatch(/<td>–<\/td><td>–<\/td>/);
  });

  it('says so when there was no evaluation', () => {
    const bare = renderReport({ title: 'a', facts: [], recipe: '', classes: [], log: [], pictures: [] });
    expect(bare).toContain('There was no evaluation.');
    expect(bare).toContain('There are no validation images.');
  });
});

describe('escaping', () => {
  it('leaves nothing that ends an element, and JSON that reads back', () => {
    expect(escapeHtml(`<a href="'">&`)).toBe('&lt;a href=&quot;&#39;&quot;&gt;&amp;');
    expect(scriptJson([hostile, '<!--'])).not.toMatch(/[<>&\u2028]/);
    expect(JSON.parse(scriptJson([hostile, '<!--']))).toEqual([hostile, '<!--']);
  });
});
