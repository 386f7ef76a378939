/** Who may log in, as the manifests say it: for the line to try, and for who is told that a login failed. */
import { basicAuthType } from "../operator/credentials/logins.ts";
import { nameOf } from "../operator/kube/kube.ts";
import type { Secret } from "../operator/kube/objects.ts";
import { secretText } from "../operator/kube/secret.ts";
import { matchesSelector } from "../operator/kube/selector.ts";
import type { LocalKube } from "./kube.ts";
import type { InForce } from "./manifests/manifests.ts";

export interface KnownLogin {
  readonly username: string;
  /** `Secret mail/app-login in example-com.yaml`. */
  readonly source: string;
  /** Some SenderDomain's senders take it. */
  readonly isTaken: boolean;
}

/** Those of the folder; those that others made have no file. */
export async function knownLogins(kube: LocalKube): Promise<readonly KnownLogin[]> {
  const domains = await kube.list("SenderDomain");
  const logins: KnownLogin[] = [];
  for (const secret of await kube.list("Secret")) {
    const username = secret.type === basicAuthType ? secretText(secret, "username") : undefined;
    if (username === undefined) continue;
    const isTaken = domains.some(
      ({ metadata, spec }) =>
        metadata.namespace === secret.metadata.namespace &&
        spec.senders.some(
          ({ credentials }) =>
            credentials !== undefined && matchesSelector(credentials.secretSelector, secret.metadata.labels ?? {}),
        ),
    );
    logins.push({ username, source: sourceOf(kube, secret), isTaken });
  }
  return logins;
}

export function sourceOf(kube: LocalKube, secret: Pick<Secret, "metadata">): string {
  const { namespace, name } = secret.metadata;
  const isIt = ({ object }: InForce): boolean =>
    object.kind === "Secret" && object.metadata.namespace === namespace && object.metadata.name === name;
  const file = kube.given.find(isIt)?.file;
  return `Secret ${nameOf(secret.metadata)}${file === undefined ? "" : ` in ${file}`}`;
}
