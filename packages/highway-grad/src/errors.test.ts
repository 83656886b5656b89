import { expect, test } from 'vitest';
import { E3vaError, ShapeError } from './errors.ts';

test('the message has one line for each part that is given', () => {
  const full = new E3vaError({ what: 'rank is wrong', expected: '4', received: '0', fix: 'use 4' });
  expect(full.message).toBe('rank is wrong\n  expected: 4\n  received: 0\n  to do: use 4');
  expect(new E3vaError({ what: 'no such file' }).message).toBe('no such file');
  expect(new E3vaError({ what: 'empty', received: '' }).message).toBe('empty\n  received: ');
});

test('it keeps its parts, its cause and the name of its class', () => {
  const cause = new Error('below');
  const error = new ShapeError({ what: 'no', fix: 'yes' }, { cause });
  expect(error).toBeInstanceOf(E3vaError);
  expect(error.name).toBe('ShapeError');
  expect(error.parts).toEqual({ what: 'no', fix: 'yes' });
  expect(error.cause).toBe(cause);
  expect(error.stack).toContain('errors.test.ts');
});

test('isInstance recognises errors of another copy of the package, and nothing else', () => {
  class OtherCopy extends Error {}
  const other = new OtherCopy('from elsewhere');
  Object.defineProperty(other, Symbol.for('@e3va/error'), { value: true });
  expect(E3vaError.isInstance(new ShapeError({ what: 'no' }))).toBe(true);
  expect(E3vaError.isInstance(other)).toBe(true);
  for (const value of [new Error('no'), 'no', null, undefined, {}, { message: 'no' }]) {
    expect(E3vaError.isInstance(value)).toBe(false);
  }
});
