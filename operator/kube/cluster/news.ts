/** Whether a change of an object is one that somebody has to look at. Pure. */
import type { Change } from "../cache/store.ts";
import { isRecord, type RawObject } from "../client/resource.ts";
import { isPart, type Kind } from "../objects.ts";
import { digestOf } from "./difference.ts";
import { faultsOf } from "./views.ts";

export function isNews(kind: Kind, { before, after }: Change<RawObject>): boolean {
  if (before === undefined || after === undefined) return true;
  return digestOf(lookedAt(kind, before)) !== digestOf(lookedAt(kind, after));
}

/** Whether a resource of ours came, went, or was written by anybody but the operator, which writes status alone. */
export function isTouch(kind: Kind, { before, after }: Change<RawObject>): boolean {
  if (kind !== "MailRelay" && kind !== "SenderDomain") return false;
  if (before === undefined || after === undefined) return true;
  const [was, is] = [before, after].map(({ metadata: { resourceVersion: _version, ...metadata } }) =>
    digestOf(metadata),
  );
  return was !== is;
}

function lookedAt(kind: Kind, object: RawObject): unknown {
  const { resourceVersion: _version, ...metadata } = object.metadata;
  if (isPart(kind)) return { ...object, metadata };
  switch (kind) {
    // Of these only the metadata is known: any write may have changed their data.
    case "Secret":
    case "ConfigMap":
      return object.metadata;
    // Its status is our own writing; nobody waits for it.
    case "SenderDomain":
      return [metadata, faultsOf(object)];
    // Sender domains wait for the pods of their relay. All else of its status is our own writing; the generation stands
    // for its spec.
    case "MailRelay":
      return [metadata, faultsOf(object), podsIn(object["status"])];
  }
}

function podsIn(status: unknown): unknown {
  return isRecord(status) ? [status["pods"], status["revision"]] : undefined;
}
