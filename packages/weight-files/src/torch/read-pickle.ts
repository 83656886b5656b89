import { PickleError, PickleInput } from './pickle-input.ts';
import { PyDict, PyGlobal, PyObject } from './python-values.ts';

/** What a pickle's names, calls and references outside mean. */
export interface PickleWorld {
  /** Asked for every class and function that is named; throws if it must not be. */
  admit(global: PyGlobal): void;
  /** What a call gives; undefined if the callee is not known, then a {@link PyObject} stands for it. */
  call(callee: PyGlobal, args: readonly unknown[]): unknown;
  /** Puts state into something that {@link call} gave. */
  build(target: unknown, state: unknown): void;
  /** What is kept outside of the pickle under an id. */
  persistent(id: unknown): unknown;
}

/** Most steps of one pickle: each takes memory. Real checkpoints need thousands. */
const maxSteps = 4_000_000;

/**
 * Reads one pickle, protocols 0 to 5. Nothing of Python is run: names stay names, and calls are answered by `world`.
 *
 * Lists, tuples and sets become arrays; bytes are views. Every length is bounded by the bytes that are there.
 *
 * Source: the descriptions of the opcodes in Python's `pickletools`.
 *
 * @returns The value, and the position behind the pickle.
 * @throws {@link OutOfBytes} if the bytes end before the pickle does; {@link PickleError} if it is damaged.
 */
export function readPickle(
  bytes: Uint8Array,
  start: number,
  world: PickleWorld,
): { value: unknown; end: number } {
  const machine = new Machine(new PickleInput(bytes, start), world);
  for (let step = 0; step < maxSteps; step++) {
    if (machine.step()) return { value: machine.pop(), end: machine.input.at };
  }
  throw new PickleError(`more than ${maxSteps} steps`);
}

class Machine {
  readonly input: PickleInput;
  readonly #world: PickleWorld;
  #stack: unknown[] = [];
  readonly #marks: unknown[][] = [];
  readonly #memo = new Map<number | bigint, unknown>();

  constructor(input: PickleInput, world: PickleWorld) {
    this.input = input;
    this.#world = world;
  }

  pop(): unknown {
    if (this.#stack.length === 0) throw new PickleError('a value is missing on the stack');
    return this.#stack.pop();
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw new PickleError('a value is missing on the stack');
    return this.#stack[this.#stack.length - 1];
  }

  #push(value: unknown): void {
    this.#stack.push(value);
  }

  /** The values since the last mark. */
  #popMark(): unknown[] {
    const items = this.#stack;
    const below = this.#marks.pop();
    if (!below) throw new PickleError('a mark is missing on the stack');
    this.#stack = below;
    return items;
  }

  #popSome(count: number): unknown[] {
    if (this.#stack.length < count) throw new PickleError('a value is missing on the stack');
    return this.#stack.splice(this.#stack.length - count, count);
  }

  /** Runs one opcode; whether it was the last. */
  step(): boolean {
    const code = this.input.u8();
    if (code === 0x2e) return true;
    if (this.#literal(code) || this.#container(code) || this.#object(code)) return false;
    throw new PickleError(`opcode ${code} at position ${this.input.at - 1} is unknown or not supported`);
  }

  #literal(code: number): boolean {
    const { input } = this;
    switch (code) {
      case 0x80: // PROTO
        if (input.u8() > 5) throw new PickleError('a protocol that is not known');
        return true;
      case 0x95: // FRAME
        input.u64();
        return true;
      case 0x4e: // NONE
        this.#push(null);
        return true;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        this.#push(code === 0x88);
        return true;
      case 0x49: // INT; '00' and '01' are the booleans of protocol 0
        this.#push(this.#intLine());
        return true;
      case 0x4c: // LONG
        this.#push(input.decimal());
        return true;
      case 0x46: // FLOAT
        this.#push(this.#floatLine());
        return true;
      case 0x4a: // BININT
        this.#push(input.i32());
        return true;
      case 0x4b: // BININT1
        this.#push(input.u8());
        return true;
      case 0x4d: // BININT2
        this.#push(input.u16());
        return true;
      case 0x8a: // LONG1
        this.#push(input.integer(input.u8()));
        return true;
      case 0x8b: // LONG4
        this.#push(input.integer(input.u32()));
        return true;
      case 0x47: // BINFLOAT
        this.#push(input.f64());
        return true;
      default:
        return this.#text(code);
    }
  }

  #intLine(): number | bigint | boolean {
    const start = this.input.at;
    const text = this.input.line();
    if (text === '00' || text === '01') return text === '01';
    this.input.at = start;
    return this.input.decimal();
  }

  #floatLine(): number {
    const text = this.input.line().trim();
    const value = /^[+-]?inf$/i.test(text) ? Number(text.replace(/inf/i, 'Infinity')) : Number(text);
    if (text === '' || (Number.isNaN(value) && !/^[+-]?nan$/i.test(text))) {
      throw new PickleError('a number is no number');
    }
    return value;
  }

  #text(code: number): boolean {
    const { input } = this;
    switch (code) {
      case 0x53: // STRING
        this.#push(input.line().replace(/^(['"])(.*)\1$/, '$2'));
        return true;
      case 0x56: // UNICODE
        this.#push(input.line());
        return true;
      case 0x54: // BINSTRING
        this.#push(input.latin1(input.i32()));
        return true;
      case 0x55: // SHORT_BINSTRING
        this.#push(input.latin1(input.u8()));
        return true;
      case 0x58: // BINUNICODE
        this.#push(input.utf8(input.u32()));
        return true;
      case 0x8c: // SHORT_BINUNICODE
        this.#push(input.utf8(input.u8()));
        return true;
      case 0x8d: // BINUNICODE8
        this.#push(input.utf8(input.u64()));
        return true;
      case 0x42: // BINBYTES
        this.#push(input.bytes(input.u32()));
        return true;
      case 0x43: // SHORT_BINBYTES
        this.#push(input.bytes(input.u8()));
        return true;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        this.#push(input.bytes(input.u64()));
        return true;
      default:
        return false;
    }
  }

  #container(code: number): boolean {
    switch (code) {
      case 0x28: // MARK
        this.#marks.push(this.#stack);
        this.#stack = [];
        return true;
      case 0x30: // POP; of a mark if nothing is above it
        if (this.#stack.length > 0) this.pop();
        else this.#popMark();
        return true;
      case 0x31: // POP_MARK
        this.#popMark();
        return true;
      case 0x32: // DUP
        this.#push(this.#top());
        return true;
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        this.#push([]);
        return true;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#push(this.#popSome(code - 0x84));
        return true;
      case 0x74: // TUPLE
      case 0x6c: // LIST
      case 0x91: // FROZENSET
        this.#push(this.#popMark());
        return true;
      case 0x7d: // EMPTY_DICT
        this.#push(new PyDict());
        return true;
      case 0x64: {
        // DICT
        const items = this.#popMark();
        this.#push(new PyDict());
        this.#setItems(items);
        return true;
      }
      case 0x61: // APPEND
        this.#append([this.pop()]);
        return true;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.#append(this.#popMark());
        return true;
      case 0x73: // SETITEM
        this.#setItems(this.#popSome(2));
        return true;
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark());
        return true;
      default:
        return this.#memoize(code);
    }
  }

  #append(values: readonly unknown[]): void {
    const list = this.#top();
    if (Array.isArray(list)) for (const value of values) list.push(value);
    else if (!(list instanceof PyObject))
      throw new PickleError('values are added to something that is no list');
  }

  #setItems(items: readonly unknown[]): void {
    const top = this.#top();
    const dict = top instanceof PyObject ? top.items : top;
    if (!(dict instanceof PyDict))
      throw new PickleError('items are put into something that is no dictionary');
    if (items.length % 2 !== 0) throw new PickleError('a dictionary has a key without a value');
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  #memoize(code: number): boolean {
    const { input } = this;
    switch (code) {
      case 0x70: // PUT
        this.#memo.set(input.decimal(), this.#top());
        return true;
      case 0x71: // BINPUT
        this.#memo.set(input.u8(), this.#top());
        return true;
      case 0x72: // LONG_BINPUT
        this.#memo.set(input.u32(), this.#top());
        return true;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return true;
      case 0x67: // GET
        this.#push(this.#recall(input.decimal()));
        return true;
      case 0x68: // BINGET
        this.#push(this.#recall(input.u8()));
        return true;
      case 0x6a: // LONG_BINGET
        this.#push(this.#recall(input.u32()));
        return true;
      default:
        return false;
    }
  }

  #recall(id: number | bigint): unknown {
    if (!this.#memo.has(id)) throw new PickleError(`memo ${id} was never set`);
    return this.#memo.get(id);
  }

  #object(code: number): boolean {
    const { input } = this;
    switch (code) {
      case 0x63: // GLOBAL
        this.#push(this.#global(input.line(), input.line()));
        return true;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popSome(2);
        this.#push(this.#global(module, name));
        return true;
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.#call(...(this.#popSome(2) as [unknown, unknown]));
        return true;
      case 0x92: {
        // NEWOBJ_EX
        const [callee, args] = this.#popSome(3);
        this.#call(callee, args);
        return true;
      }
      case 0x6f: {
        // OBJ
        const [callee, ...args] = this.#popMark();
        this.#call(callee, args);
        return true;
      }
      case 0x69: {
        // INST
        const callee = this.#global(input.line(), input.line());
        this.#call(callee, this.#popMark());
        return true;
      }
      case 0x62: {
        // BUILD
        const state = this.pop();
        const target = this.#top();
        if (target instanceof PyObject) target.state = state;
        else this.#world.build(target, state);
        return true;
      }
      case 0x50: // PERSID
        this.#push(this.#world.persistent(input.line()));
        return true;
      case 0x51: // BINPERSID
        this.#push(this.#world.persistent(this.pop()));
        return true;
      default:
        return false;
    }
  }

  #global(module: unknown, name: unknown): PyGlobal {
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw new PickleError('the name of a class is no text');
    }
    const global = new PyGlobal(module, name);
    this.#world.admit(global);
    return global;
  }

  #call(callee: unknown, args: unknown): void {
    if (!Array.isArray(args)) throw new PickleError('the arguments of a call are no tuple');
    const known = callee instanceof PyGlobal ? this.#world.call(callee, args) : undefined;
    this.#push(known === undefined ? new PyObject(callee, args) : known);
  }
}
