/** Items sorted into groups: those of group `g` are `members.subarray(starts[g], starts[g + 1])`. */
export interface Groups {
  starts: Int32Array;
  members: Int32Array;
}

/** Sorts items into `count` groups by `keyOf`; within a group they keep the order of `items`. */
export function groupBy(items: Int32Array, count: number, keyOf: (item: number) => number): Groups {
  const starts = new Int32Array(count + 1);
  for (let i = 0; i < items.length; i++) starts[keyOf(items[i]!) + 1]!++;
  for (let g = 0; g < count; g++) starts[g + 1]! += starts[g]!;
  const next = starts.slice();
  const members = new Int32Array(items.length);
  for (let i = 0; i < items.length; i++) members[next[keyOf(items[i]!)]!++] = items[i]!;
  return { starts, members };
}

/** The items of a group. */
export const membersOf = ({ starts, members }: Groups, group: number): Int32Array =>
  members.subarray(starts[group], starts[group + 1]);
