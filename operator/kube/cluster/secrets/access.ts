/**
 * "May I read this Secret?", and how often what RBAC refuses is asked for again: the one place that knows, one state for each
 * namespace. Nothing tells of a right, so it has to be asked for; and rights to Secrets are given namespace by namespace, so
 * that many may be missing for good. A few are asked for every ten seconds: whoever has just given one sees it at work at once.
 * Many take turns, so that they cost about as much together. What somebody touches is asked for right then.
 */

const shortestRefusalMs = 10_000;
const longestRefusalMs = 300_000;
/** Of each that is refused. */
const turnMs = 1_000;

/** Milliseconds after which one of so many refusals is asked about again at the latest. */
export function refusalMs(refused: number): number {
  return Math.min(longestRefusalMs, Math.max(shortestRefusalMs, refused * turnMs));
}

/** How it stands with a namespace; `said` are the server's words. */
export type Access =
  /** All can be read, as far as the server has said. */
  | { readonly kind: "open" }
  /** They may not be listed; single ones may still be given by name. */
  | { readonly kind: "single"; readonly said: string }
  /** A write was refused. Watches outlive the right to them by minutes, so nothing is read there either. */
  | { readonly kind: "closed"; readonly said: string };

interface Refusal {
  readonly said: string;
  /** Milliseconds, monotonic. */
  readonly at: number;
}

interface NamespaceState {
  list: string | undefined;
  write: { readonly said: string; readonly callOff: () => void } | undefined;
  /** Single objects, by kind and name. */
  readonly singles: Map<string, Refusal>;
}

/** An object that is asked for by itself. */
export interface SingleObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface AccessSettings {
  readonly now: () => number;
  /** After a while a refused write is worth another try. */
  readonly onReopened: (namespace: string) => void;
}

export class NamespaceAccess {
  readonly #settings: AccessSettings;
  /** Of those that have refused anything. */
  readonly #states = new Map<string, NamespaceState>();

  constructor(settings: AccessSettings) {
    this.#settings = settings;
  }

  of(namespace: string): Access {
    const { list, write } = this.#states.get(namespace) ?? {};
    if (write !== undefined) return { kind: "closed", said: write.said };
    return list === undefined ? { kind: "open" } : { kind: "single", said: list };
  }

  /** Why a single object is not worth asking for; undefined when it is time to ask, or was never refused. */
  refusalOf(single: SingleObject): string | undefined {
    const refusal = this.#states.get(single.namespace)?.singles.get(nameIn(single));
    if (refusal === undefined || this.#settings.now() - refusal.at >= refusalMs(this.#count("singles")))
      return undefined;
    return refusal.said;
  }

  listGiven(namespace: string): void {
    const state = this.#states.get(namespace);
    if (state === undefined) return;
    state.list = undefined;
    // Whoever gives the one gives the other by the same binding.
    state.singles.clear();
    this.#tidy(namespace, state);
  }

  listRefused(namespace: string, said: string): void {
    this.#state(namespace).list = said;
  }

  /** A list that is refused is asked for again after this long at most, in milliseconds. */
  listPauseMs(): number {
    return refusalMs(this.#count("lists"));
  }

  writeRefused(namespace: string, said: string): void {
    const state = this.#state(namespace);
    if (state.write !== undefined) return;
    const timer = setTimeout(
      () => {
        state.write = undefined;
        this.#tidy(namespace, state);
        this.#settings.onReopened(namespace);
      },
      refusalMs(this.#count("writes") + 1),
    );
    timer.unref();
    state.write = { said, callOff: () => clearTimeout(timer) };
  }

  singleGiven(single: SingleObject): void {
    const state = this.#states.get(single.namespace);
    if (state === undefined) return;
    state.singles.delete(nameIn(single));
    this.#tidy(single.namespace, state);
  }

  singleRefused(single: SingleObject, said: string): void {
    const now = this.#settings.now();
    // What nobody has asked for since then is of resources that are gone, and must not slow the others down.
    for (const [namespace, state] of this.#states) {
      for (const [other, { at }] of state.singles) if (now - at > longestRefusalMs) state.singles.delete(other);
      this.#tidy(namespace, state);
    }
    this.#state(single.namespace).singles.set(nameIn(single), { said, at: now });
  }

  /** Somebody is at work in the namespace: all but its list, which its watch asks for, is asked for when it is needed next. */
  touched(namespace: string): void {
    const state = this.#states.get(namespace);
    if (state === undefined) return;
    state.write?.callOff();
    state.write = undefined;
    state.singles.clear();
    this.#tidy(namespace, state);
  }

  /** It is not watched any more. */
  forget(namespace: string): void {
    this.touched(namespace);
    this.#states.delete(namespace);
  }

  #count(what: "lists" | "writes" | "singles"): number {
    let count = 0;
    for (const { list, write, singles } of this.#states.values()) {
      if (what === "lists" && list !== undefined) count += 1;
      if (what === "writes" && write !== undefined) count += 1;
      if (what === "singles") count += singles.size;
    }
    return count;
  }

  #state(namespace: string): NamespaceState {
    const state = this.#states.get(namespace) ?? { list: undefined, write: undefined, singles: new Map() };
    this.#states.set(namespace, state);
    return state;
  }

  #tidy(namespace: string, { list, write, singles }: NamespaceState): void {
    if (list === undefined && write === undefined && singles.size === 0) this.#states.delete(namespace);
  }
}

function nameIn({ kind, name }: SingleObject): string {
  return `${kind}/${name}`;
}
