const quote = 34;
const backslash = 92;

/**
 * The first key that an object of a JSON text has twice, at any depth; `JSON.parse` keeps the last of them without a word.
 *
 * @param text Valid JSON.
 * @returns The key, or undefined.
 */
export function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each open object; undefined for an array
  let wantsKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      const end = endOfString(text, at);
      if (wantsKey) {
        const key = keyOf(text, at, end);
        const keys = open[open.length - 1]!;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      wantsKey = false;
      at = end;
    } else if (code === 123) {
      open.push(new Set());
      wantsKey = true;
    } else if (code === 91) {
      open.push(undefined);
      wantsKey = false;
    } else if (code === 125 || code === 93) {
      open.pop();
      wantsKey = false;
    } else if (code === 44) wantsKey = open[open.length - 1] !== undefined;
  }
  return undefined;
}

/** Where the string that starts at a position has its closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at;
}

function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}
