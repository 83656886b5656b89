import type { WasmKernel } from './backend.ts';
import { type Block, elementwise } from './elementwise.ts';

/**
 * Coefficients of q, with Φ(x) = sigmoid(x·q(x²)) and Φ the standard normal distribution function.
 *
 * Our own weighted minimax fit of logit Φ(x) / x over |x| ≤ 5.8: x·Φ(x) is right to 7e-8 there, and the logit goes on
 * growing outside, so that Φ reaches 0 and 1. Evaluated in float32: Φ to 1.5e-7, erf to 3e-7.
 */
const logit = [
  1.59576843, 0.072668567, -6.62599793e-5, -1.10480318e-4, 7.93821898e-6, -2.66892818e-7, 3.61123272e-9,
];

/** The same for erf(x) = 2 Φ(√2 x) - 1: coefficient i times √2·2ⁱ. */
const erfLogit = logit.map((c, i) => c * Math.SQRT2 * 2 ** i);

/** x² stays below this, so that no power of it overflows; Φ has long reached 0 or 1. */
const largestSquare = 200;

/** out = sigmoid(x·q(x²)); `out` may not be `x`. */
function sigmoidOf(block: Block, coefficients: readonly number[], x: number, out: number, z: number): void {
  const [top, ...rest] = [...coefficients].reverse() as [number, ...number[]];
  block.mul(x, x, z);
  block.clip(z, 0, largestSquare, z);
  block.mulScalar(z, top, out);
  for (const [i, c] of rest.entries()) {
    block.addScalar(out, c, out);
    block.mul(out, i < rest.length - 1 ? z : x, out);
  }
  block.sigmoid(out, out);
}

/** `Erf` by XNNPACK's sigmoid, in half the time. */
export const erf: WasmKernel = (call, original) => {
  const x = call.inputs.x!;
  if (x.dtype !== 'float32') return original(call);
  return elementwise(call.backend, [x], 1, (block, [x], out, [z]) => {
    sigmoidOf(block, erfLogit, x!, out, z!);
    block.mulScalar(out, 2, out);
    block.addScalar(out, -1, out);
  });
};

/** Φ(x), the standard normal distribution function. */
export const normalCdf: WasmKernel = ({ inputs, backend }) =>
  elementwise(backend, [inputs.x!], 1, (block, [x], out, [z]) => sigmoidOf(block, logit, x!, out, z!));

/** Φ(x) + x·φ(x) given Φ(x): the derivative of GELU. With s = sigmoid(-x²/2), exp(-x²/2) is s / (1 - s). */
export const geluDerivative: WasmKernel = ({ inputs, backend }) =>
  elementwise(backend, [inputs.x!, inputs.cdf!], 1, (block, [x, cdf], out, [s]) => {
    block.mul(x!, x!, out);
    block.mulScalar(out, -0.5, out);
    block.sigmoid(out, out);
    block.subFrom(1, out, s!);
    block.div(out, s!, out);
    block.mul(out, x!, out);
    block.mulScalar(out, 1 / Math.sqrt(2 * Math.PI), out);
    block.add(out, cdf!, out);
  });
