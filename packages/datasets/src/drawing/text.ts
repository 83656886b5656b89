import { loadSharp } from '../node.ts';
import { letterOf, letterSize } from './font.ts';

/** How much of each pixel a text covers, 0 to 255, row by row. */
export interface TextPicture {
  width: number;
  height: number;
  data: Uint8Array;
}

/**
 * A line of text as pixels, {@link textHeight} high.
 *
 * Printable ASCII, and letters that are such with an accent (drawn without it), come from a built-in font: the same pixels
 * everywhere, with no font installed. A text with others is drawn by sharp with the fonts of the system; where that cannot
 * be done, `?` stands for each of them.
 *
 * @param scale Pixels of the picture for each pixel of the font, an integer.
 */
export async function textPicture(text: string, scale: number): Promise<TextPicture> {
  const plain = text
    .replace(/\p{Cc}/gu, ' ')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '');
  if (isBuiltIn(plain)) return builtInText(plain, scale);
  const drawn = await systemText(text, scale).catch(() => undefined); // no sharp, no font
  return drawn ?? builtInText([...plain].map((c) => (letterOf(c) ? c : '?')).join(''), scale);
}

/** Height of every {@link textPicture} of that scale. */
export const textHeight = (scale: number): number => letterSize.height * scale;

const isBuiltIn = (text: string) => [...text].every((character) => letterOf(character) !== undefined);

function builtInText(text: string, scale: number): TextPicture {
  const letters = [...text].map((character) => letterOf(character)!);
  const width =
    Math.max(
      1,
      letters.reduce((sum, letter) => sum + letter.width + 1, -1),
    ) * scale;
  const height = textHeight(scale);
  const data = new Uint8Array(width * height);
  let left = 0;
  for (const letter of letters) {
    for (let y = 0; y < height; y++) {
      const row = letter.rows[Math.floor(y / scale)] ?? 0;
      for (let x = 0; x < letter.width * scale; x++) {
        const bit = letterSize.width - 1 - Math.floor(x / scale);
        if ((row >> bit) & 1) data[y * width + left + x] = 255;
      }
    }
    left += (letter.width + 1) * scale;
  }
  return { width, height, data };
}

/** A text drawn by sharp, fitted to the height of the built-in font. */
async function systemText(text: string, scale: number): Promise<TextPicture | undefined> {
  const sharp = await loadSharp();
  const markup = `<span foreground="white">${escapeMarkup(text)}</span>`;
  const picture = sharp({ text: { text: markup, font: 'sans', dpi: 72 * 4, rgba: true, wrap: 'none' } });
  const { data, info } = await picture
    .resize({ height: textHeight(scale) })
    .extractChannel('alpha')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  return data.some((v) => v > 0) ? { width, height, data: new Uint8Array(data) } : undefined;
}

/** A text as the markup of it: no tag, no control character, no half of a character. */
function escapeMarkup(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text
    .replace(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, ' ')
    .replace(/[&<>"']/g, (character) => entities[character]!);
}
