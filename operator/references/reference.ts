/**
 * What a spec refers to, declared once for each kind (mailrelay/references.ts, senderdomain/references.ts). What is read, what
 * wakes the resource when it changes, and what its status says of an object that is missing, may not be read or is of no use
 * all follow from those tables. Pure.
 */
import type { Reference } from "../kube/kube.ts";
import type { ReferredKind } from "../kube/objects.ts";
import { type Selector, termOf } from "../kube/selector.ts";

/** What it is for, and so what it must hold. */
export type Use =
  /** See readings.ts. */
  | "login"
  | "authorities"
  | "clientAuthorities"
  | "headers"
  | "text"
  /** Judged where the certificate is: one that a person gives, and one that somebody else makes and that may be on its way. */
  | "certificate"
  | "issued"
  /** Judged where the keys are. */
  | "signingKey"
  /** Only its place counts: what stands there keeps us from making ours. */
  | "place";

export interface SpecReference extends Reference<ReferredKind> {
  /** For example `spec.smarthosts[0].caRef`. */
  readonly field: string;
  /** Undefined where the use says which keys there are. */
  readonly dataKey: string | undefined;
  readonly use: Use;
}

/** As a manifest spells it; always of the resource's own namespace. */
interface Named {
  readonly kind?: ReferredKind;
  readonly name: string;
  readonly key?: string;
}

type Found = Named | undefined | readonly (Named | undefined)[];

/** `[]` in the field stands for each place of the list that is given. */
type Declaration<T> = readonly [field: string, use: Use, of: (object: T) => Found];

interface Placed {
  readonly metadata: { readonly namespace: string };
}

export function declareReferences<T extends Placed>(
  table: readonly Declaration<T>[],
): (object: T) => readonly SpecReference[] {
  return (object) =>
    table.flatMap(([path, use, of]) =>
      placed(path, of(object)).map(({ field, value: { kind = "Secret", name, key: dataKey } }) => {
        return { kind, namespace: object.metadata.namespace, name, field, dataKey, use };
      }),
    );
}

/** Each value with its own place in the list. */
function placed<T extends object>(
  path: string,
  found: T | undefined | readonly (T | undefined)[],
): readonly { readonly field: string; readonly value: T }[] {
  return (isList(found) ? found : [found]).flatMap((value, index) =>
    value === undefined ? [] : [{ field: path.replace("[]", `[${index}]`), value }],
  );
}

function isList<T>(found: T | readonly T[]): found is readonly T[] {
  return Array.isArray(found);
}

/** Secrets of the own namespace that a spec selects by label. */
export interface SpecSelection {
  /** For example `spec.senders[0].credentials.secretSelector`. */
  readonly field: string;
  readonly selector: Selector;
}

type SelectionDeclaration<T> = readonly [
  field: string,
  of: (object: T) => Selector | undefined | readonly (Selector | undefined)[],
];

export function declareSelections<T>(
  table: readonly SelectionDeclaration<T>[],
): (object: T) => readonly SpecSelection[] {
  return (object) =>
    table.flatMap(([path, of]) => placed(path, of(object)).map(({ field, value }) => ({ field, selector: value })));
}

/** Under this a selection is found by the labels of a Secret that it may select. */
export function selectionTerm(namespace: string, term: string): string {
  return `${namespace} ${term}`;
}

/** The same of what a spec says. */
export function termIn(namespace: string, { selector }: SpecSelection): string {
  return selectionTerm(namespace, termOf(selector));
}
