import { describe, expect, it } from 'vitest';
import { expectClose, readTensors } from '../../../tests/support/tensors.ts';
import {
  type AnchorOptions,
  anchorsInside,
  type Grid,
  joined,
  octaveSizes,
  pyramidAnchors,
} from './anchors.ts';

const oracle = readTensors(new URL('../test/fixtures/anchors.safetensors', import.meta.url));
const grids: Grid[] = [
  [13, 17],
  [7, 9],
  [4, 5],
  [2, 3],
  [1, 2],
];
const strides = [8, 16, 32, 64, 128];
const sizes = {
  retinanet: (definition: 'mmdet' | 'torchvision') => strides.map((s) => octaveSizes(s, { definition })),
  rpn: (definition: 'mmdet' | 'torchvision') => strides.map((s) => [s * (definition === 'mmdet' ? 8 : 4)]),
};

describe.each(['retinanet', 'rpn'] as const)('anchors of %s', (kind) => {
  it.each(['mmdet', 'torchvision'] as const)('equal those of %s', (definition) => {
    const options: AnchorOptions = { sizes: sizes[kind](definition), definition };
    const anchors = joined(pyramidAnchors(grids, strides, options), Float32Array);
    expectClose(anchors, oracle.get(`${kind}.${definition}`)!.data, definition === 'mmdet' ? 1e-3 : 0);
  });

  it('are valid where mmdet says so', () => {
    const anchors = pyramidAnchors(grids, strides, { sizes: sizes[kind]('mmdet') });
    const flags = anchorsInside(anchors, grids, strides, { height: 90, width: 120 }, { skipPadding: true });
    expect(Float32Array.from(flags)).toEqual(oracle.get(`${kind}.mmdet_valid`)!.data);
  });
});

describe('anchorsInside', () => {
  it('leaves out what reaches over the border', () => {
    const anchors = pyramidAnchors([[2, 2]], [8], { sizes: [[8]], ratios: [1] }); // centres at 0 and 8
    const inside = (border?: number) => [
      ...anchorsInside(anchors, [[2, 2]], [8], { height: 16, width: 13 }, { border }),
    ];
    expect(inside(0)).toEqual([0, 0, 0, 1]);
    expect(inside(5)).toEqual([1, 1, 1, 1]);
    expect(inside()).toEqual([1, 1, 1, 1]);
  });
});
