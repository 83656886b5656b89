import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { checkFlags, recipeFlags, splitArguments } from './flags.ts';

describe('splitArguments', () => {
  it('takes the flags with a dot out, with their values', () => {
    const args = ['--data', 'a.b/c', '--train.lr', '1e-4', '--train.crop=[64, 64]', 'photo.jpg', '--debug'];
    expect(splitArguments(args)).toEqual({
      rest: ['--data', 'a.b/c', 'photo.jpg', '--debug'],
      dotted: { 'train.lr': '1e-4', 'train.crop': '[64, 64]' },
    });
    expect(splitArguments(['--data.dir=x.y/z=1']).dotted).toEqual({ 'data.dir': 'x.y/z=1' });
  });

  it('wants a value', () => {
    expect(() => splitArguments(['--train.lr'])).toThrow(UsageError);
    expect(() => splitArguments(['--train.lr', '--debug'])).toThrow(
      '--train.lr has no value\n  to do: write --train.lr VALUE',
    );
  });
});

describe('checkFlags', () => {
  it('names an unknown flag and the one that was meant', () => {
    const known = { steps: { type: 'string' }, debug: { type: 'boolean' } } as const;
    expect(() => checkFlags({ _: [], stepz: '3' }, known)).toThrow(
      'unknown flag --stepz\n  to do: did you mean --steps?',
    );
    expect(() => checkFlags({ _: [], qqqqq: true }, known)).toThrow('the flags are --steps --debug');
    expect(() => checkFlags({ _: [], steps: '' }, known)).toThrow('--steps has no value');
    expect(() => checkFlags({ _: ['x'], steps: '3', debug: true }, known)).not.toThrow();
  });
});

describe('recipeFlags', () => {
  it('joins short and dotted flags, and leaves the rest', () => {
    expect(recipeFlags({ _: [], steps: '3', debug: true, config: 'x' }, { 'train.lr': '1' })).toEqual({
      steps: '3',
      'train.lr': '1',
    });
  });
});
