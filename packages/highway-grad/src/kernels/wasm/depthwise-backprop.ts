import type { WasmKernel } from './backend.ts';
import { gridOf, phasesOf, taps } from './conv-backprop-filter.ts';
import { framed, geometryOf } from './conv-geometry.ts';
import { sumRows } from './reduce.ts';
import { inWorkspace } from './workspace.ts';

/**
 * `DepthwiseConv2dNativeBackpropFilter`, which wasm lacks; any stride, dilation and channel multiplier. As in
 * `conv2dBackpropFilter` a tap meets a shifted view of a phase of the input; here it is a sum over pixels of products.
 */
export const depthwiseBackpropFilter: WasmKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  const g = geometryOf(x.shape, attrs.filterShape, attrs, true);
  const { channels } = g;
  const multiplier = g.outChannels / channels;
  return inWorkspace(backend, (ws) => {
    const grid = gridOf(g);
    const pixels = g.batch * grid.height * grid.width;
    const phases = phasesOf(ws, x, g);
    let d = framed(ws, inputs.dy!, { height: grid.height, width: grid.width, top: 0, left: 0 });
    if (multiplier > 1) {
      // output channel c·multiplier + k -> [multiplier, pixels, channels]
      d = ws.run('Transpose', { x: ws.reshape(d, [pixels, channels, multiplier]) }, { perm: [2, 0, 1] });
    }
    const out = ws.make([g.kernelHeight * g.kernelWidth, multiplier, channels]);
    for (const { tap, phase, shift } of taps(g)) {
      for (let k = 0; k < multiplier; k++) {
        const a = { info: phases, at: (phase * pixels + shift) * channels };
        const b = { info: d, at: k * pixels * channels };
        sumRows(ws, a, b, { info: out, at: (tap * multiplier + k) * channels }, pixels - shift, channels);
      }
    }
    return ws.keep(ws.run('Transpose', { x: out }, { perm: [0, 2, 1] }), attrs.filterShape);
  });
};

/**
 * `DepthwiseConv2dNativeBackpropInput`, which wasm lacks: dy, spread by the stride, convolved with the filter turned by
 * 180 degrees; with a channel multiplier, every output channel by itself, then summed.
 */
export const depthwiseBackpropInput: WasmKernel = ({ inputs, attrs, backend }) => {
  const filter = inputs.filter!;
  const g = geometryOf(attrs.inputShape, filter.shape, attrs, true);
  const multiplier = g.outChannels / g.channels;
  return inWorkspace(backend, (ws) => {
    const [reachH, reachW] = [(g.kernelHeight - 1) * g.dilationHeight, (g.kernelWidth - 1) * g.dilationWidth];
    const d = framed(ws, inputs.dy!, {
      height: g.height + reachH,
      width: g.width + reachW,
      top: reachH - g.top,
      left: reachW - g.left,
      stepHeight: g.strideHeight,
      stepWidth: g.strideWidth,
    });
    const turned = ws.run('Reverse', { x: filter }, { dims: [0, 1] });
    const flat = ws.reshape(turned, [g.kernelHeight, g.kernelWidth, g.outChannels, 1]);
    const dilations = [g.dilationHeight, g.dilationWidth];
    const out = ws.run(
      'DepthwiseConv2dNative',
      { x: d, filter: flat },
      { strides: [1, 1], pad: 'valid', dilations },
    );
    if (multiplier === 1) return ws.keep(out);
    const parts = ws.reshape(out, [g.batch, g.height, g.width, g.channels, multiplier]);
    return ws.keep(ws.run('Sum', { x: parts }, { axis: [4], keepDims: false }));
  });
};
