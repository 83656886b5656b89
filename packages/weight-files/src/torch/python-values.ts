/** A class or function that a pickle names. It is only a name: nothing is imported, nothing is called. */
export class PyGlobal {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }

  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** A dictionary, in the order of its keys; keys that are no plain values are told apart by identity. */
export class PyDict {
  #items: Map<unknown, unknown> | undefined; // made with the first item: pickles have many empty ones

  get size(): number {
    return this.#items?.size ?? 0;
  }

  get(key: unknown): unknown {
    return this.#items?.get(key);
  }

  set(key: unknown, value: unknown): void {
    this.#items ??= new Map();
    this.#items.set(key, value);
  }

  entries(): Iterable<[unknown, unknown]> {
    return this.#items ?? [];
  }
}

/** What a pickle would make by calling something that is not known here: kept as it was described, and never made. */
export class PyObject {
  /** What would be called. */
  readonly callee: unknown;
  /** With which arguments. */
  readonly args: readonly unknown[];
  /** The state that would be put into it. */
  state: unknown;
  /** Items put into it, if it is a kind of dictionary. */
  readonly items = new PyDict();

  constructor(callee: unknown, args: readonly unknown[]) {
    this.callee = callee;
    this.args = args;
  }
}

/** What an object is made by, for a message. */
export function calleeOf({ callee }: PyObject): string {
  return callee instanceof PyGlobal ? String(callee) : 'something that is no class';
}

/** A dictionary, or the items of an object of a class that is one. */
export function asDict(value: unknown): PyDict | undefined {
  if (value instanceof PyDict) return value;
  return value instanceof PyObject && value.items.size > 0 ? value.items : undefined;
}
