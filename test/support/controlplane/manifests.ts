/** Manifests that tests apply to an API server, as people write them. */
import { apiVersion } from "../../../api/group.ts";
import type { RawObject } from "../../../operator/kube/client/resource.ts";

export interface Manifest {
  readonly namespace: string;
  readonly name: string;
  readonly spec?: object;
}

export function relayManifest({ namespace, name, spec = {} }: Manifest): RawObject {
  return {
    apiVersion,
    kind: "MailRelay",
    metadata: { namespace, name },
    spec: {
      hostname: "relay.example.com",
      listeners: [
        { name: "submission", port: 587 },
        { name: "smtp", port: 25, authentication: "Optional", trustedNetworks: ["10.0.0.0/8"] },
      ],
      delivery: { smarthosts: [{ name: "first", host: "smtp.example.net", port: 25, tlsMode: "Opportunistic" }] },
      ...spec,
    },
  };
}

export function domainManifest({ namespace, name, spec = {} }: Manifest): RawObject {
  return {
    apiVersion,
    kind: "SenderDomain",
    metadata: { namespace, name },
    spec: {
      domain: "example.com",
      relayRef: { name: "outbound" },
      senders: [{ name: "networks", trustedNetworks: true }],
      ...spec,
    },
  };
}

export function configMapManifest({ namespace, name, values }: SecretManifest): RawObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data: values };
}

export interface SecretManifest {
  readonly namespace: string;
  readonly name: string;
  readonly type?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, string>>;
}

export function secretManifest({ namespace, name, type = "Opaque", labels = {}, values }: SecretManifest): RawObject {
  return { apiVersion: "v1", kind: "Secret", metadata: { namespace, name, labels }, type, stringData: values };
}
