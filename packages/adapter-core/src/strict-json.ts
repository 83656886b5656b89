const [quote, comma, backslash] = [34, 44, 92];
const [openList, closeList, openObject, closeObject] = [91, 93, 123, 125];

/** Deepest nesting and most values of a JSON text: each value takes many times the memory of its text. */
const maxDepth = 200;
const maxValues = 5_000_000;

/**
 * Reads JSON from a stranger. A key that stands twice in an object is an error, where `JSON.parse` keeps the last without a word; so is a
 * text whose values would take very much more memory than the text.
 *
 * @throws SyntaxError that says what is wrong.
 */
export function parseStrictJson(text: string): unknown {
  checkSize(text);
  const value: unknown = JSON.parse(text);
  const key = duplicateKey(text);
  if (key !== undefined) throw new SyntaxError(`the key '${key.slice(0, 200)}' stands twice`);
  return value;
}

function checkSize(text: string): void {
  let [depth, values] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at);
    else if (code === openList || code === openObject) {
      if (++depth > maxDepth) throw new SyntaxError(`nested more than ${maxDepth} deep`);
      values++;
    } else if (code === closeList || code === closeObject) depth--;
    else if (code === comma) values++;
  }
  if (values > maxValues) throw new SyntaxError(`more than ${maxValues} values`);
}

/** The first key of valid JSON that an object has twice, at any depth. */
function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each open object; undefined for a list
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
    } else if (code === openObject || code === openList) {
      wantsKey = code === openObject;
      open.push(wantsKey ? new Set() : undefined);
    } else if (code === closeObject || code === closeList) {
      open.pop();
      wantsKey = false;
    } else if (code === comma) wantsKey = open[open.length - 1] !== undefined;
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
