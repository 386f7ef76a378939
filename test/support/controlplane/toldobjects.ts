/** What an API server holds when a test ends: its Secrets are secret, and no other object may tell what is in them. */
import type { Client } from "../../../operator/kube/client/client.ts";
import type { RawObject, Resource } from "../../../operator/kube/client/resource.ts";
import { cachedKinds, configMapResource, secretResource } from "../../../operator/kube/cluster/resources.ts";
import { hear, keepSecrets } from "../secrets/disclosure.ts";
import { secretsOfSecret } from "../secrets/documents.ts";

const events: Resource = { apiVersion: "v1", kind: "Event", plural: "events", namespaced: true };
const kinds = Object.values(cachedKinds).flatMap(({ resource, isOptional }) => (isOptional === true ? [] : [resource]));

/** A server that is gone tells nothing. */
export async function hearServer(client: Client): Promise<void> {
  const all = async (resource: Resource): Promise<readonly RawObject[]> => {
    const page = await client.list(resource, {}, {}).catch(() => undefined);
    return page?.items ?? [];
  };
  for (const secret of await all(secretResource)) keepSecrets(secretsOfSecret(secret));
  for (const resource of [...kinds, configMapResource, events]) {
    const objects = await all(resource);
    // What somebody applied says what he wrote, and a Secret's last applied text is none of these.
    for (const object of objects) hear(`${resource.kind} ${nameOf(object)}`, JSON.stringify(object));
  }
}

function nameOf({ metadata }: RawObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
