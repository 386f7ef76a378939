/** What a watch told, judged once: whether it is news at all, and of which sort. Whom it concerns is asked after that. Pure. */
import type { Change } from "../cache/store.ts";
import { isRecord, type RawObject } from "../client/resource.ts";
import { isPart, type Kind } from "../objects.ts";
import { digestOf } from "./difference.ts";
import type { CachedKind } from "./resources.ts";
import { faultsOf } from "./views.ts";

export type News =
  /** It came, went, or was written: a resource of ours by anybody but the operator, which writes their status alone. */
  | "written"
  /** Only what is said of a resource of ours has changed. */
  | "said";

export interface ObjectChange extends Change<RawObject> {
  readonly what: "object";
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly news: News;
}

export type ClusterChange =
  | ObjectChange
  /** A namespace came or went, or has other labels. */
  | { readonly what: "namespace"; readonly namespace: string }
  /** How much of a watched namespace is seen. */
  | { readonly what: "sight"; readonly namespace: string }
  /** The right to read a kind has come or gone, in a namespace or in all. */
  | {
      readonly what: "right";
      readonly kind: CachedKind | "Secret" | "Namespace";
      readonly namespace: string | undefined;
    }
  /** Documents of a shard, by data key, that somebody else has changed, or that are gone. */
  | { readonly what: "spoilt"; readonly shard: RawObject; readonly dataKeys: readonly string[] };

/** Undefined: nobody has to look at it. */
export function newsOf(kind: Kind, { before, after }: Pick<Change<RawObject>, "before" | "after">): News | undefined {
  if (before === undefined || after === undefined) return "written";
  const differ = (part: (object: RawObject) => unknown): boolean => digestOf(part(before)) !== digestOf(part(after));
  if (isPart(kind)) return differ((object) => ({ ...object, metadata: lasting(object) })) ? "written" : undefined;
  switch (kind) {
    // Of these only the metadata is known: any write may have changed their data.
    case "Secret":
    case "ConfigMap":
      return differ(({ metadata }) => metadata) ? "written" : undefined;
    // Its status is our own writing; nobody waits for it.
    case "SenderDomain":
      return differ(lasting) ? "written" : differ(faultsOf) ? "said" : undefined;
    // Sender domains wait for the pods of their relay, write their documents in its version and say that they are limited. All else of its status is our
    // own writing; the generation stands for its spec.
    case "MailRelay":
      if (differ(lasting)) return "written";
      return differ((object) => [faultsOf(object), heededIn(object["status"])]) ? "said" : undefined;
  }
}

function lasting({ metadata: { resourceVersion: _version, ...metadata } }: RawObject): unknown {
  return metadata;
}

function heededIn(status: unknown): unknown {
  return isRecord(status)
    ? [status["pods"], status["revision"], status["documentVersion"], status["limited"]]
    : undefined;
}
