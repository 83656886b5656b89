import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../run/log.ts';
import { escapeHtml, scriptJson } from './escape.ts';
import { pictureTable } from './pictures-table.ts';
import { renderReport } from './report.ts';

const hostile = '</script><script>alert(1)</script><b title="x">&\u2028';

const log: LogEntry[] = [
  { type: 'train', step: 1, loss: 2, losses: { box: 0.5 }, lr: 0.1, ms: 5, imagesPerSecond: 1, rss: 1 },
  {
    type: 'eval',
    step: 1,
    best: true,
    metric: 'mIoU',
    scores: { mIoU: 0.25, aAcc: 0.5 },
    perClass: { IoU: [0.5, null], Acc: [1, null] },
  },
  {
    type: 'eval',
    step: 2,
    best: false,
    metric: 'mIoU',
    scores: { mIoU: 0.2, aAcc: 0.5 },
    perClass: { IoU: [0.4, 0], Acc: [1, 0] },
  },
];
const page = renderReport({
  title: hostile,
  facts: [['Model', hostile]],
  recipe: hostile,
  classes: ['ground', hostile],
  log,
  sections: [
    {
      title: hostile,
      html: pictureTable(['Image', hostile], [{ name: hostile, pictures: ['data:a', 'data:b'] }]),
    },
  ],
});

describe('renderReport', () => {
  it('stands alone: nothing is loaded from anywhere', () => {
    expect(page).toContain('uPlot=function');
    expect(page).toMatch(/\.uplot[,{ ]/);
    const loaded = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map((m) => m[1]!);
    expect(loaded).toEqual(['data:a', 'data:b']);
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
    expect(JSON.parse(json)).toMatchObject([
      { id: 'plot-0-0', title: 'Loss', x: [1], series: [{ label: 'loss', values: [2] }] },
      { id: 'plot-0-1', x: [1], series: [{ label: 'box', values: [0.5] }] },
      { id: 'plot-0-2', title: 'Learning rate', series: [{ values: [0.1] }] },
      {
        id: 'plot-0-3',
        x: [1, 2],
        series: [
          { label: 'mIoU', values: [0.25, 0.2] },
          { label: 'aAcc', values: [0.5, 0.5] },
        ],
      },
    ]);
    for (const { id } of JSON.parse(json)) expect(page).toContain(`<div id="${id}">`);
    expect(page).toContain('after step 1, in per cent: mIoU 25.0, aAcc 50.0.');
    expect(page).toMatch(/<td>50\.0<\/td><td>100\.0<\/td>/);
    expect(page).toMatch(/<td>–<\/td><td>–<\/td>/);
  });

  it('says so when there was no evaluation', () => {
    const bare = renderReport({ title: 'a', facts: [], recipe: '', classes: [], log: [], sections: [] });
    expect(bare).toContain('There was no evaluation.');
    expect(pictureTable(['Image'], [])).toContain('There are no validation images.');
  });
});

describe('escaping', () => {
  it('leaves nothing that ends an element, and JSON that reads back', () => {
    expect(escapeHtml(`<a href="'">&`)).toBe('&lt;a href=&quot;&#39;&quot;&gt;&amp;');
    expect(scriptJson([hostile, '<!--'])).not.toMatch(/[<>&\u2028]/);
    expect(JSON.parse(scriptJson([hostile, '<!--']))).toEqual([hostile, '<!--']);
  });
});
