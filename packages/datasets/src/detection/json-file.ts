import { AnnotationSyntaxError } from '../errors.ts';
import { lineAt } from './lines.ts';
import type { Report } from './problems.ts';

/**
 * Parses JSON. The literals `NaN` and `Infinity`, which Python writes, become `null` with a warning.
 *
 * @throws AnnotationSyntaxError with the line where it is known.
 */
export function parseJson(text: string, file: string, report: Report): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const mended = withoutNaN(text);
    if (mended.text !== text) {
      report.warn(
        { file, line: lineAt(text, mended.first) },
        'holds the numbers NaN or Infinity, which JSON does not have',
        'read as null',
      );
      return parseJson(mended.text, file, report);
    }
    throw new AnnotationSyntaxError(
      { what: `is no valid JSON: ${(cause as Error).message}`, fix: 'export it again' },
      { file, line: lineOfError(text, (cause as Error).message) },
      { cause },
    );
  }
}

/** `NaN` and `Infinity` outside of strings, put as `null`. */
function withoutNaN(text: string): { text: string; first: number } {
  const parts: string[] = [];
  const tokens = /"|-?\bInfinity\b|\bNaN\b/g;
  let first = -1;
  let done = 0;
  for (let match = tokens.exec(text); match; match = tokens.exec(text)) {
    if (match[0] === '"') {
      tokens.lastIndex = afterString(text, match.index);
      continue;
    }
    if (first < 0) first = match.index;
    parts.push(text.slice(done, match.index), 'null');
    done = tokens.lastIndex;
  }
  return first < 0 ? { text, first } : { text: parts.join('') + text.slice(done), first };
}

/** The position after the string that begins at a quotation mark. */
function afterString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text[end - 1 - escapes] === '\\') escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
  return text.length;
}

/** Messages name the position, quote what stands there, or tell of an early end. */
function lineOfError(text: string, message: string): number | undefined {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return lineAt(text, Number(position));
  if (/end of JSON/i.test(message)) return lineAt(text, text.length);
  const quoted = /^Unexpected token [^,]*, (?:\.\.\.)?"([\s\S]*)"(?:\.\.\.)? is not valid JSON$/.exec(
    message,
  )?.[1];
  const found = quoted ? text.indexOf(quoted) : -1;
  return found < 0 || text.indexOf(quoted!, found + 1) >= 0
    ? undefined
    : lineAt(text, found + quoted!.length / 2);
}

/**
 * Finds the line of the elements of an array that is a value of the outermost object, by one pass over the text when first
 * asked.
 */
export function elementLines(text: string, key: string): (index: number) => number | undefined {
  let lines: number[] | undefined;
  return (index) => {
    lines ??= linesOfElements(text, key);
    return lines[index];
  };
}

function linesOfElements(text: string, key: string): number[] {
  const lines: number[] = [];
  const tokens = /["[\]{},\n]/g;
  let line = 1;
  let depth = 0;
  let inside = false; // the array looked for
  let awaiting = false; // the start of an element
  let lastString = '';
  for (let match = tokens.exec(text); match; match = tokens.exec(text)) {
    const token = match[0];
    if (token === '\n') {
      line++;
      continue;
    }
    if (awaiting && token !== ']') {
      lines.push(line);
      awaiting = false;
    }
    if (token === '"') {
      tokens.lastIndex = afterString(text, match.index);
      if (depth === 1)
        lastString = text.slice(match.index + 1, Math.min(tokens.lastIndex - 1, match.index + 64));
    } else if (token === '[' || token === '{') {
      depth++;
      if (depth === 2) inside = awaiting = token === '[' && lastString === key;
    } else if (token === ',') {
      awaiting = inside && depth === 2;
    } else if (depth-- === 2) {
      inside = awaiting = false;
    }
  }
  return lines;
}
