import type { ArgsDef } from 'citty';
import { UsageError } from '../errors.ts';
import { shortFlags } from '../recipe/flags.ts';
import { nearest } from '../recipe/nearest.ts';

/** The command line, the flags with a dot (recipe keys) taken out: citty cannot know them. */
export interface SplitArguments {
  /** The rest. */
  rest: string[];
  /** Value by dotted key, without the dashes. */
  dotted: Record<string, string>;
}

/**
 * Takes flags such as `--train.lr 1e-4` or `--train.lr=1e-4` out of the command line.
 *
 * @throws {@link UsageError} if one has no value.
 */
export function splitArguments(args: readonly string[]): SplitArguments {
  const out: SplitArguments = { rest: [], dotted: {} };
  for (let i = 0; i < args.length; i++) {
    const match = /^--([A-Za-z]+(?:\.[^=]+)+)(?:=(.*))?$/s.exec(args[i]!);
    if (!match) {
      out.rest.push(args[i]!);
      continue;
    }
    const value = match[2] ?? args[++i];
    if (value === undefined || value.startsWith('--')) {
      throw new UsageError({ what: `--${match[1]} has no value`, fix: `write --${match[1]} VALUE` });
    }
    out.dotted[match[1]!] = value;
  }
  return out;
}

/**
 * Refuses flags that a command does not have, and flags without their value.
 *
 * @param args What citty parsed.
 * @param known The definitions.
 */
export function checkFlags(args: Record<string, unknown>, known: ArgsDef): void {
  const names = Object.keys(known);
  for (const [name, value] of Object.entries(args)) {
    if (name === '_') continue;
    if (!names.includes(name)) {
      const near = nearest(name, names);
      throw new UsageError({
        what: `unknown flag --${name}`,
        fix: near ? `did you mean --${near}?` : `the flags are ${names.map((n) => `--${n}`).join(' ')}`,
      });
    }
    if (known[name]?.type === 'string' && value === '') {
      throw new UsageError({ what: `--${name} has no value`, fix: `write --${name} VALUE` });
    }
  }
}

/** The flags among parsed arguments that set recipe keys. */
export function recipeFlags(
  args: Record<string, unknown>,
  dotted: Record<string, string>,
): Record<string, string> {
  const short = Object.keys(shortFlags).filter((name) => typeof args[name] === 'string');
  return { ...Object.fromEntries(short.map((name) => [name, args[name] as string])), ...dotted };
}
