import { models, type PretrainedModel } from '../models/catalogue.ts';
import { memoryOf } from '../models/memory.ts';

const columns: readonly (readonly [title: string, cell: (model: PretrainedModel) => string])[] = [
  ['name', ({ name }) => name],
  ['parameters', ({ parameters }) => `${(parameters / 1e6).toFixed(1)} M`],
  [
    'download',
    ({ hub, parameters }) => (hub === undefined ? 'none' : `${Math.round((parameters * 4) / 1e6)} MB`),
  ],
  ['licence', ({ licence }) => licence],
  ['trained on', ({ trained }) => trained],
  ['classes', ({ classes }) => (classes === undefined ? '–' : `${classes}`)],
  ['published', ({ score }) => score ?? '–'],
  ['E³VA', (model) => memoryCell(model, 'e3va')],
  ['LoRA', (model) => memoryCell(model, 'lora')],
  ['full', (model) => memoryCell(model, 'full')],
  ['on the hub', ({ hub }) => hub ?? 'comes with e3va'],
];

/** The table of the pretrained models; columns are padded with spaces. */
export function modelTable(): string {
  const rows = [
    columns.map(([title]) => title),
    ...models.map((model) => columns.map(([, cell]) => cell(model))),
  ];
  const widths = columns.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)));
  return rows
    .map((row) =>
      row
        .map((text, c) => text.padEnd(widths[c]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function memoryCell({ name }: PretrainedModel, method: 'e3va' | 'lora' | 'full'): string {
  const bytes = memoryOf(name, method);
  if (bytes === 'over') return '> 4 GB';
  return bytes === undefined ? '–' : `${(bytes / 2 ** 30).toFixed(2)} GB`;
}
