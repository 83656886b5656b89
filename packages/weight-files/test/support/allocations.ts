const names = [
  'ArrayBuffer',
  'Uint8Array',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const;

type Globals = Record<string, new (...args: never[]) => ArrayBuffer | ArrayBufferView>;

/** Counts the bytes of every array that is made from now on by code that names these classes. */
export function watchAllocations(): { largest(): number; restart(): void; stop(): void } {
  const globals = globalThis as unknown as Globals;
  const before = names.map((name) => globals[name]!);
  let largest = 0;
  names.forEach((name, i) => {
    globals[name] = new Proxy(before[i]!, {
      construct(target, args: unknown[], newTarget) {
        const bytes = asked(target as unknown as { BYTES_PER_ELEMENT?: number }, args[0]);
        largest = Math.max(largest, bytes);
        return Reflect.construct(target, args, newTarget) as object;
      },
    });
  });
  return {
    largest: () => largest,
    restart() {
      largest = 0;
    },
    stop() {
      names.forEach((name, i) => {
        globals[name] = before[i]!;
      });
    },
  };
}

/** Bytes that `new array(what)` takes: none of its own over a buffer. */
function asked({ BYTES_PER_ELEMENT: size = 1 }: { BYTES_PER_ELEMENT?: number }, what: unknown): number {
  if (typeof what === 'number') return what * size;
  if (typeof what !== 'object' || what === null || 'byteLength' in what === false) return 0;
  return 'length' in what ? Number(what.length) * size : 0;
}
