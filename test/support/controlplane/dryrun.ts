/** Asks an API server what it would say to a new object; nothing is stored. */
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { pathOf, type RawObject, type Resource } from "../../../operator/kube/client/resource.ts";
import type { ControlPlane } from "./controlplane.ts";

export type DryRun = (resource: Resource, object: RawObject) => Promise<string | undefined>;

/** Resolves to why it is refused; undefined when it would be taken. Rejects when the server does not judge it. */
export function openDryRun(plane: ControlPlane): DryRun {
  const agent = new Agent({ keepAlive: true, ca: plane.authority });
  return async (resource, object) => {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    const path = pathOf(resource, { namespace: object.metadata.namespace });
    const asked = request(
      {
        agent,
        host: "127.0.0.1",
        port: plane.port,
        method: "POST",
        path: `${path}?dryRun=All&fieldValidation=Strict`,
        headers: { authorization: `Bearer ${plane.token}`, "content-type": "application/json" },
      },
      (answer) => {
        text(answer).then((body) => {
          if (answer.statusCode === 201) resolve(undefined);
          else if (answer.statusCode === 422 || answer.statusCode === 400) resolve(body);
          else reject(new Error(`${answer.statusCode}: ${body}`));
        }, reject);
      },
    );
    asked.on("error", reject);
    asked.end(JSON.stringify(object));
    return promise;
  };
}
