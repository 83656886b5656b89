import { packRows, unpackRows } from '../pack-rows.ts';
import type { WasmKernel } from './backend.ts';
import { inWorkspace } from './workspace.ts';

/** The words and scales of a tap; plain loops over the heap. */
export const packTap: WasmKernel = ({ inputs, attrs: { layout, shapes }, backend }) =>
  inWorkspace(backend, (ws) => {
    const [codes, scales] = [ws.make(shapes.codes, 'int32'), ws.make(shapes.scales)];
    packRows(ws.floats(inputs.x!), layout, ws.int32s(codes), ws.floats(scales));
    return [ws.keep(codes), ws.keep(scales)];
  });

/** The tap of words and scales. */
export const unpackTap: WasmKernel = ({ inputs, attrs: { layout, shape }, backend }) =>
  inWorkspace(backend, (ws) => {
    const out = ws.make(shape);
    unpackRows(ws.int32s(inputs.codes!), ws.floats(inputs.scales!), layout, ws.floats(out));
    return ws.keep(out);
  });
