/** The number a text holds, or `NaN`. Unlike `Number`, an empty text, `0x10` and `Infinity` are none. */
export function parseNumber(text: string | undefined): number {
  return text !== undefined && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text)
    ? Number(text)
    : Number.NaN;
}
