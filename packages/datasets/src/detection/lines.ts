/** The line of a position in a text, from 1. */
export function lineAt(text: string, position: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < position; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

/** {@link lineAt} for many positions of one text: the first call looks for all lines, further ones are quick. */
export function lineFinder(text: string): (position: number) => number {
  let ends: number[] | undefined;
  return (position) => {
    ends ??= newlines(text);
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! < position) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

function newlines(text: string): number[] {
  const found: number[] = [];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) found.push(i);
  return found;
}
