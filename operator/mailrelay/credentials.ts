/**
 * The credentials that a selector of basic-auth Secrets stands for. Verifiers are derived once for each user and password
 * and remembered, because the derivation is meant to be slow.
 */
import { createHash } from "node:crypto";
import type { CredentialDocument, ScramVerifier } from "../../api/relayconfig.ts";
import { ForbiddenError, type Kube, nameOf } from "../kube/kube.ts";
import type { Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import type { Selector } from "../kube/selector.ts";
import { forbiddenProblem } from "./rights.ts";
import { scramIterations, scramVerifier, stableSalt } from "./scram.ts";
import type { CredentialFacts, Place, ReferenceProblem } from "./world.ts";

export const basicAuthType = "kubernetes.io/basic-auth";

export interface CredentialSource {
  /** Credentials of the Secrets that match in the namespace, in order of their names. */
  select(question: CredentialQuestion): Promise<CredentialFacts>;
}

export interface CredentialQuestion {
  readonly kube: Kube;
  readonly place: Place;
  readonly namespace: string;
  readonly selector: Selector;
  /** Path of the selector, for what is wrong with it. */
  readonly field: string;
}

interface Remembered {
  readonly digest: string;
  readonly verifier: Promise<ScramVerifier>;
}

export function createCredentialSource(): CredentialSource {
  const remembered = new Map<string, Remembered>();
  const verifierOf = (identity: string, username: string, password: string): Promise<ScramVerifier> => {
    const digest = createHash("sha256")
      .update(JSON.stringify([username, password]))
      .digest("hex");
    const known = remembered.get(identity);
    if (known !== undefined && known.digest === digest) return known.verifier;
    const salt = stableSalt(identity, username);
    const verifier = scramVerifier({ password, salt, iterations: scramIterations });
    remembered.set(identity, { digest, verifier });
    return verifier;
  };
  return {
    async select(question) {
      const secrets = await selectSecrets(question);
      if (secrets === "forbidden") return { documents: [], problems: [forbiddenProblem(question)] };
      if (secrets.length === 0) return { documents: [], problems: [nothingSelected(question)] };
      const problems: ReferenceProblem[] = [];
      const documents: Promise<CredentialDocument>[] = [];
      for (const secret of secrets) {
        const identity = nameOf(secret.metadata);
        const username = secretText(secret, "username");
        const password = secretText(secret, "password");
        if (username === undefined || username === "" || password === undefined || password === "") {
          const message = `${question.field}: Secret ${identity} needs the data keys username and password: add them`;
          problems.push({ kind: "invalid", field: question.field, message });
          continue;
        }
        documents.push(verifierOf(identity, username, password).then((scram) => ({ identity, username, scram })));
      }
      return { documents: await Promise.all(documents), problems };
    },
  };
}

async function selectSecrets(question: CredentialQuestion): Promise<readonly Secret[] | "forbidden"> {
  const secrets = await question.kube
    .list("Secret", { namespace: question.namespace, selector: question.selector })
    .catch((error: unknown) => forbiddenOnly(error));
  if (secrets === "forbidden") return secrets;
  return secrets
    .filter((secret) => secret.type === basicAuthType)
    .sort((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1));
}

function forbiddenOnly(error: unknown): "forbidden" {
  if (error instanceof ForbiddenError) return "forbidden";
  throw error;
}

function nothingSelected(question: CredentialQuestion): ReferenceProblem {
  const message =
    `${question.field} selects no Secret of type ${basicAuthType} in namespace ${question.namespace}: ` +
    `create one with these labels and the data keys username and password`;
  return { kind: "missing", field: question.field, message };
}
