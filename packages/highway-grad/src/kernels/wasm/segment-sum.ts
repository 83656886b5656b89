import { sizeOf, type WasmKernel } from './backend.ts';
import { inWorkspace } from './workspace.ts';

/**
 * `UnsortedSegmentSum`, which wasm lacks (the gradient of `gather`). Ids outside [0, numSegments) are dropped, as on
 * other backends; the native ScatterNd would write outside its output.
 */
export const unsortedSegmentSum: WasmKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  const ids = inputs.segmentIds!;
  const segments = attrs.numSegments as number;
  const rest = x.shape.slice(ids.shape.length);
  const length = sizeOf(rest);
  return inWorkspace(backend, (ws) => {
    const out = ws.make([segments, ...rest], x.dtype);
    const numbers = x.dtype === 'int32' ? ws.int32s.bind(ws) : ws.floats.bind(ws);
    const [from, to] = [numbers(x), numbers(out).fill(0)];
    for (const [row, id] of ws.int32s(ids).entries()) {
      if (id < 0 || id >= segments) continue;
      for (let i = 0; i < length; i++) to[id * length + i]! += from[row * length + i]!;
    }
    return ws.keep(out);
  });
};
