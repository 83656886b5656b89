import type * as tf from '@tensorflow/tfjs-core';
import type { WasmKernel } from './backend.ts';
import { framed, type Geometry, geometryOf } from './conv-geometry.ts';
import { inWorkspace, type Workspace } from './workspace.ts';

/**
 * `Conv2DBackpropInput` (also the forward of `conv2dTranspose`) as a convolution of dy, in a tenth of the time of
 * wasm's own plain loop.
 *
 * For stride 1 that is the convolution with the filter turned by 180 degrees. For a stride s, the input's rows fall into
 * s phases, and the taps into those of each phase; one convolution computes all s·s phases as channels, which are
 * then put in their places.
 */
export const conv2dBackpropInput: WasmKernel = (call, original) => {
  const { inputs, attrs, backend } = call;
  if (attrs.dataFormat !== undefined && attrs.dataFormat !== 'NHWC') return original(call);
  const filter = inputs.filter!;
  const g = geometryOf(attrs.inputShape, filter.shape, attrs);
  const rows = axisOf(g.height, g.outHeight, g.kernelHeight, g.strideHeight, g.top);
  const columns = axisOf(g.width, g.outWidth, g.kernelWidth, g.strideWidth, g.left);
  return inWorkspace(backend, (ws) => {
    const d = framed(ws, inputs.dy!, {
      height: rows.count + rows.taps - 1,
      width: columns.count + columns.taps - 1,
      top: rows.taps - 1 - rows.first,
      left: columns.taps - 1 - columns.first,
    });
    const turned = turnedFilter(ws, filter, g, rows.taps, columns.taps);
    let out = ws.run(
      'Conv2D',
      { x: d, filter: turned },
      { strides: [1, 1], pad: 'valid', dataFormat: 'NHWC', dilations: [1, 1] },
    );
    const [sh, sw] = [g.strideHeight, g.strideWidth];
    if (sh > 1 || sw > 1) {
      const { batch, channels } = g;
      out = ws.reshape(out, [batch * rows.count, columns.count, sh, sw * channels]);
      out = ws.run('Transpose', { x: out }, { perm: [0, 2, 1, 3] });
      out = ws.reshape(out, [batch, rows.count * sh, columns.count * sw, channels]);
    }
    const frame = { height: g.height, width: g.width, top: -rows.cut, left: -columns.cut };
    return ws.keep(framed(ws, out, frame));
  });
};

/** Along one axis, with Y = y + pad = stride·q + phase and tap = phase + stride·e, dx(Y) sums dy[q - e]·w[tap] over e. */
function axisOf(size: number, outSize: number, kernel: number, stride: number, pad: number) {
  const taps = Math.ceil(kernel / stride);
  // rows of the padding before q = first are not needed
  const first = Math.min(Math.floor(pad / stride), taps - 1);
  const count = Math.max(Math.ceil((size + pad) / stride), outSize) - first;
  return { taps, first, count, cut: pad - first * stride };
}

/**
 * The filter of that convolution, [rowTaps, columnTaps, outChannels, strideHeight·strideWidth·channels]: the taps of
 * each phase in reverse order, zero where a phase has fewer.
 */
function turnedFilter(
  ws: Workspace,
  filter: tf.TensorInfo,
  g: Geometry,
  rowTaps: number,
  columnTaps: number,
): tf.TensorInfo {
  const [sh, sw, ci, co] = [g.strideHeight, g.strideWidth, g.channels, g.outChannels];
  const out = ws.make([rowTaps, columnTaps, co, sh * sw * ci]);
  const from = ws.floats(filter);
  const to = ws.floats(out).fill(0);
  for (let i = 0; i < g.kernelHeight; i++) {
    for (let j = 0; j < g.kernelWidth; j++) {
      const row = rowTaps - 1 - Math.floor(i / sh);
      const column = columnTaps - 1 - Math.floor(j / sw);
      const phase = (i % sh) * sw + (j % sw);
      const source = (i * g.kernelWidth + j) * ci * co;
      const target = (row * columnTaps + column) * co * sh * sw * ci + phase * ci;
      for (let o = 0; o < co; o++) {
        const place = target + o * sh * sw * ci;
        for (let c = 0; c < ci; c++) to[place + c] = from[source + c * co + o]!;
      }
    }
  }
  return out;
}
