/** Whose an object is that is there already under the name of one that is to be written. Pure. */
import { managedByLabel } from "../../../api/labels.ts";
import type { RawObject } from "../client/resource.ts";
import { keyOf, type Reference, RejectedError } from "../kube.ts";
import { digestIn } from "./inforce.ts";
import { ownerIn } from "./owner.ts";

/**
 * What is made for a resource has our label or our resource as its owner; what has neither is somebody's. What has another
 * resource of ours as its owner is that one's, and two that wrote it in turn would never end.
 */
export function refuseForeign(
  { kind, namespace, name }: Reference,
  actual: RawObject,
  maker: Reference | undefined,
): void {
  const { labels } = actual.metadata;
  const owner = ownerIn(actual, namespace);
  if (owner !== undefined && (maker === undefined || keyOf(owner) !== keyOf(maker))) {
    throw new RejectedError(
      `${kind} ${namespace}/${name} belongs to ${owner.kind} ${owner.name}: give the resource another name`,
      { refusedFor: "name" },
    );
  }
  // The operator's own certificate authority belongs to no relay: its digest shows that we made it.
  const isOurs = labels?.[managedByLabel] === "mailboat-operator" || digestIn(actual) !== undefined;
  if (isOurs || owner !== undefined) return;
  // What is made for no resource has its name for good.
  const remedy =
    maker === undefined
      ? "whoever put it there renews it; where it is deleted, the operator makes its own"
      : "delete it, or give the resource another name";
  throw new RejectedError(`${kind} ${namespace}/${name} is there and was not made by Mailboat: ${remedy}`, {
    refusedFor: "name",
  });
}
