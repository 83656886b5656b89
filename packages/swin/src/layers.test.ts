import { beforeAll, describe, it } from 'vitest';
import { checkLayer, type LayerCase } from '../test/contract.ts';
import { backends, useBackend } from '../test/helpers.ts';
import {
  DropPath,
  LayerNorm,
  Linear,
  PatchGather,
  WindowAttention,
  WindowPartition,
  WindowReverse,
} from './index.ts';

const cases: LayerCase[] = [
  {
    name: 'Linear',
    make: () => new Linear({ name: 'a.b', units: 5, useBias: false }),
    shapes: [[2, 3, 4]],
    config: { name: 'a.b', units: 5, useBias: false, activation: 'linear' },
  },
  {
    name: 'Linear with gelu',
    make: () => new Linear({ units: 3, activation: 'gelu' }),
    shapes: [[2, 3, 2, 4]],
    config: { units: 3, useBias: true, activation: 'gelu' },
  },
  {
    name: 'LayerNorm',
    make: () => new LayerNorm({ epsilon: 1e-3 }),
    shapes: [[2, 3, 2, 6]],
    config: { epsilon: 1e-3 },
  },
  { name: 'DropPath', make: () => new DropPath({ rate: 0.3 }), shapes: [[3, 2, 4]], config: { rate: 0.3 } },
  {
    name: 'PatchGather',
    make: () => new PatchGather({ size: 3 }),
    shapes: [[2, 4, 7, 2]],
    config: { size: 3 },
  },
  {
    name: 'WindowPartition',
    make: () => new WindowPartition({ window: 3, shift: 1 }),
    shapes: [[2, 5, 4, 3]],
    config: { window: 3, shift: 1 },
  },
  {
    name: 'WindowReverse',
    make: () => new WindowReverse({ window: 3, shift: 1 }),
    shapes: [
      [8, 9, 3],
      [2, 5, 4, 7],
    ],
    config: { window: 3, shift: 1 },
    shapeOnly: [1],
  },
  {
    name: 'WindowAttention',
    make: () => new WindowAttention({ heads: 2, window: 3, shift: 1 }),
    shapes: [
      [8, 9, 12],
      [2, 5, 4, 7],
    ],
    config: { heads: 2, window: 3, shift: 1 },
    shapeOnly: [1],
  },
  {
    name: 'WindowAttention unshifted',
    make: () => new WindowAttention({ heads: 1, window: 2 }),
    shapes: [
      [6, 4, 9],
      [1, 4, 5, 3],
    ],
    config: { heads: 1, window: 2, shift: 0 },
    shapeOnly: [1],
  },
];

describe.each(backends)('every layer keeps the contract on %s', (backend) => {
  beforeAll(() => useBackend(backend));
  it.each(cases)('$name', (layer) => checkLayer(layer));
});
