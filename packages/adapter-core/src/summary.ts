import type { LayersModel } from '@tensorflow/tfjs-layers';

/** Numbers of parameters. */
export interface ParameterCounts {
  /** Parameters that training changes. */
  trainable: number;
  /** Parameters of the base model plus those that the method adds. */
  total: number;
}

interface Row {
  layer: string;
  type: string;
  parameters: number;
  trainable: number;
  note: string;
}

/**
 * The lines of a summary in the manner of `model.summary()`: one row for each part of the highway that has weights,
 * with the taps that it reads, and the trainable share of the whole at the end.
 */
export function summaryLines(
  title: string,
  highway: LayersModel,
  taps: Map<string, string[]>,
  { trainable, total }: ParameterCounts,
): string[] {
  const rows = highway.layers
    .filter((layer) => layer.weights.length > 0)
    .map((layer): Row => {
      const trained = new Set(layer.trainableWeights.map((w) => w.id));
      const sizes = layer.weights.map((w) => ({ size: sizeOf(w.shape), trained: trained.has(w.id) }));
      const sum = (list: { size: number }[]) => list.reduce((n, { size }) => n + size, 0);
      return {
        layer: layer.name,
        type: layer.getClassName(),
        parameters: sum(sizes),
        trainable: sum(sizes.filter((s) => s.trained)),
        note: tapNote(taps.get(layer.name)),
      };
    });
  const cells = [
    ['Layer', 'Type', 'Params', 'Trainable', 'Taps'],
    ...rows.map((r) => [r.layer, r.type, grouped(r.parameters), grouped(r.trainable), r.note]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: string[]) =>
    row
      .map((cell, i) => (i === 2 || i === 3 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const rule = '='.repeat(Math.max(...cells.map((row) => line(row).length)));
  const share = ((100 * trainable) / Math.max(1, total)).toFixed(2);
  return [
    title,
    rule,
    line(cells[0]!),
    rule,
    ...cells.slice(1).map(line),
    rule,
    `Total params: ${grouped(total)}`,
    `Trainable params: ${grouped(trainable)} (${share} %)`,
    `Frozen params: ${grouped(total - trainable)}`,
  ];
}

function tapNote(names: string[] | undefined): string {
  if (!names) return '';
  return names.length < 3 ? names.join(', ') : `${names[0]} … ${names.at(-1)} (${names.length})`;
}

const grouped = (n: number) => n.toLocaleString('en-US');

/** How many numbers a shape holds. */
export const sizeOf = (shape: readonly (number | null)[]): number =>
  shape.reduce<number>((n, size) => n * (size ?? 1), 1);
