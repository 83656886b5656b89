/**
 * Whether weight decay applies to a weight of this name: not to norms (`…/gamma`, `…/beta`, any layer called norm or bn),
 * `absolute_pos_embed` and `relative_position_bias_table`; biases are decayed.
 *
 * Source: the recipes of the paper's authors (paramwise decay of 0 for those three).
 *
 * @param name Layer and weight name, for instance `stages.0.blocks.1.norm1/gamma`. A trailing `_1`, which tfjs adds to tell
 * two weights of one name apart, is ignored.
 */
export function isDecayed(name: string): boolean {
  const plain = name.replace(/_\d+$/, '');
  if (/(^|\/)(gamma|beta)$/.test(plain)) return false;
  return !/absolute_pos_embed|relative_position_bias_table/.test(plain);
}
