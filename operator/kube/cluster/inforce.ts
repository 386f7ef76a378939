/**
 * Remembers what was written, so that nothing is written twice. An object is in force when it was made from the same
 * wish (its digest is an annotation, so that a new operator knows as well) and its wanted fields are still as they were
 * after that write. The server may spell a value in its own way ("0.5" CPU becomes "500m"), so they are compared with its
 * answer, and with the wish itself only where this operator has not written yet.
 */
import { digestAnnotation } from "../../../api/labels.ts";
import type { RawObject } from "../client/resource.ts";
import { digestOf, project } from "./difference.ts";

interface Written {
  readonly wish: string;
  /** Of the wanted fields as the server answered them. */
  readonly answer: string;
}

/** An object that was found in force. */
interface Held {
  readonly wish: string;
  readonly uid: string;
  readonly version: string;
}

export class InForce {
  readonly #written = new Map<string, Written>();
  readonly #held = new Map<string, Held>();

  /** `wanted` carries its digest (see `signed`). */
  holds(key: string, wanted: RawObject, actual: RawObject): boolean {
    if (this.hasHeld(key, wanted, actual)) return true;
    const wish = digestIn(wanted);
    if (wish !== digestIn(actual)) return false;
    const seen = digestOf(project(wanted, actual));
    const last = this.#written.get(key);
    const isInForce = last !== undefined && last.wish === wish ? last.answer === seen : seen === digestOf(wanted);
    const { uid, resourceVersion } = actual.metadata;
    if (isInForce && wish !== undefined && uid !== undefined && resourceVersion !== undefined) {
      this.#held.set(key, { wish, uid, version: resourceVersion });
    }
    return isInForce;
  }

  /**
   * Whether this very version of the object, of which metadata is enough, was found in force for the same wish. At rest all
   * are, and comparing them field by field again is most of what an operator at rest would do.
   */
  hasHeld(key: string, wanted: RawObject, { metadata: { uid, resourceVersion } }: RawObject): boolean {
    const held = this.#held.get(key);
    if (held === undefined) return false;
    return held.wish === digestIn(wanted) && held.uid === uid && held.version === resourceVersion;
  }

  written(key: string, wanted: RawObject, answer: RawObject): void {
    this.#written.set(key, { wish: digestIn(wanted) ?? "", answer: digestOf(project(wanted, answer)) });
  }

  forget(key: string): void {
    this.#written.delete(key);
    this.#held.delete(key);
  }
}

/** The object with the digest of all that is wanted of it: a field that is not wanted any more changes it too. */
export function signed(object: RawObject): RawObject {
  const { metadata } = object;
  const annotations = { ...metadata.annotations, [digestAnnotation]: digestOf(object) };
  return { ...object, metadata: { ...metadata, annotations } };
}

export function digestIn(object: RawObject): string | undefined {
  return object.metadata.annotations?.[digestAnnotation];
}
