/**
 * An admission webhook that refuses objects of one kind in one namespace, in words that name the request: each time others, as
 * policy engines and quota services say it.
 */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { RawObject } from "../../../operator/kube/client/resource.ts";
import { issueLeaf, makeCertificateAuthority } from "../../../operator/trust/issue.ts";

export interface Refusing {
  /** Plural, lower-case. */
  readonly resource: string;
  readonly group: string;
  readonly namespace: string;
  /** What it says of a request. */
  readonly words: (uid: string) => string;
}

export interface Webhook {
  /** To be applied. */
  readonly configuration: RawObject;
  /** How often it was asked. */
  readonly asked: () => number;
  readonly close: () => void;
}

export async function startRefusingWebhook({ resource, group, namespace, words }: Refusing): Promise<Webhook> {
  const now = Date.now();
  const authority = await makeCertificateAuthority(now);
  const leaf = await issueLeaf({ authority, names: ["127.0.0.1"], now });
  let count = 0;
  const server = createServer({ cert: leaf.certificate, key: leaf.privateKey }, (request, response) => {
    const answer = async (): Promise<void> => {
      const { request: asked } = JSON.parse(await text(request)) as { readonly request: { readonly uid: string } };
      count += 1;
      const status = { code: 403, message: words(asked.uid) };
      const review = { uid: asked.uid, allowed: false, status };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: review }));
    };
    answer().catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const webhook = {
    name: "refuse.webhook.test",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: {
      url: `https://127.0.0.1:${port}/`,
      caBundle: Buffer.from(authority.certificate, "utf8").toString("base64"),
    },
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    rules: [{ apiGroups: [group], apiVersions: ["*"], operations: ["CREATE", "UPDATE"], resources: [resource] }],
  };
  return {
    configuration: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: `refuse-${resource}-${namespace}` },
      webhooks: [webhook],
    },
    asked: () => count,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
