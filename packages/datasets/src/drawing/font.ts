/** Columns and rows of a letter. The last two rows hang below the line. */
export const letterSize = { width: 5, height: 9 } as const;

/**
 * The letters `!` to `~`. A digit of base 32 for each row from the top, whose bits are the five pixels, the left one the
 * highest.
 */
const letters = [
  'ggggg0g00 kkk000000 aavavaa00 4fke5u400 pp248jj00 ciiclid00 ggg000000 48ggg8400 g84448g00 04leel400',
  '0044v4400 0000088g0 0000s0000 00000oo00 122488g00 ehjlphe00 8o8888s00 eh1248v00 eh161he00 26aiv2200',
  'vgu11he00 egguhhe00 v12244400 ehhehhe00 ehhf11e00 00g00g000 0080088g0 024842000 000u0u000 0g848g000',
  'eh1240400 ehnlngf00 ehhvhhh00 uhhuhhu00 ehggghe00 uhhhhhu00 vgguggv00 vgguggg00 ehgnhhf00 hhhvhhh00',
  's88888s00 72222ic00 hikokih00 ggggggu00 hrllhhh00 hppljjh00 ehhhhhe00 uhhuggg00 ehhhlid00 uhhukih00',
  'fgge11u00 v44444400 hhhhhhe00 hhhhaa400 hhhllrh00 hha4ahh00 hha444400 v1248gv00 sgggggs00 g88422100',
  's44444s00 4ah000000 0000000v0 g80000000 00e1fhf00 gguhhhu00 00eggge00 11fhhhf00 00ehvge00 68u888800',
  '00fhhhf1e gguhhhh00 g0ggggg00 4044444k8 ggikoki00 gggggg800 00qllll00 00uhhhh00 00ehhhe00 00uhhhugg',
  '00fhhhf11 00moggg00 00egc2s00 88u888600 00hhhhf00 00hhaa400 00hhlla00 00ha4ah00 00hhhhf1e 00u2cgu00',
  '488g88400 ggggggggg g88488g00 0009m0000',
].flatMap((line) => line.split(' '));

/** One letter: for each of its rows five bits, the left pixel the highest, and the columns from 0 to `width` that it fills. */
export interface Letter {
  rows: readonly number[];
  width: number;
}

/** A letter of the built-in font; a space is empty. `undefined` for what it lacks: all but printable ASCII. */
export function letterOf(character: string): Letter | undefined {
  if (character === ' ') return { rows: [], width: 2 };
  const code = character.length === 1 ? character.charCodeAt(0) : 0;
  const digits = letters[code - '!'.charCodeAt(0)];
  if (digits === undefined) return undefined;
  const rows = [...digits].map((digit) => Number.parseInt(digit, 32));
  const filled = rows.reduce((all, row) => all | row, 0);
  return { rows, width: letterSize.width - Math.log2(filled & -filled) };
}
