/**
 * Texts to a Snapshot. Each part is judged alone: one that is wrong is reported with its file and field, and its last good
 * version stays in force, so that one bad key does not stop the other domains.
 */
import { createHash, createPrivateKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { prepareUsername } from "../../api/login.ts";
import {
  credentialsIn,
  parseDomainDocument,
  relayDocument,
  shardText,
  type CredentialDocument,
  type DomainDocument,
  type KeyDocument,
  type RelayDocument,
} from "../../api/relayconfig.ts";
import { rsaKeyOf } from "../../api/rsakey.ts";
import { decodeCertificate, decodePeer } from "./certificate.ts";
import { decodeClientAuthorities } from "./clientauthorities.ts";
import type { ConfigurationFiles, Files } from "./files.ts";
import { grantedIdentities } from "./granted.ts";
import type {
  Certificate,
  ClientAuthorities,
  DomainSettings,
  PeerCertificate,
  SigningKey,
  Snapshot,
} from "./snapshot.ts";

export interface Loaded {
  /** Undefined only until the first usable relay document has been seen. */
  readonly snapshot: Snapshot | undefined;
  /** One line a fault: file, field, reason. Empty when everything on disk is in force. */
  readonly errors: readonly string[];
}

/** What a text was decoded to; kept so that only changed files are decoded again. */
interface DecodedDomain {
  readonly text: string;
  readonly settings: DomainSettings;
}

export class SnapshotLoader {
  #relay: RelayDocument | undefined;
  #certificate: Certificate | undefined;
  #clientAuthorities: ClientAuthorities | undefined;
  #peer: PeerCertificate | undefined;
  #domains = new Map<string, DecodedDomain>();
  #hasOldRelay = false;
  #credentials = new Map<string, readonly CredentialDocument[]>();

  load(files: ConfigurationFiles): Loaded {
    const errors: string[] = [];
    const attempt = <T>(name: string, previous: T, decode: () => T): T => {
      try {
        return decode();
      } catch (error) {
        errors.push(`${name}: ${describe(error)}`);
        return previous;
      }
    };
    this.#relay = attempt("relay.json", this.#relay, () => decodeRelay(files.relay));
    const bundle = this.#relay?.clientAuthorities;
    const before = this.#clientAuthorities;
    this.#clientAuthorities = attempt("relay.json: clientAuthorities", before, () =>
      decodeClientAuthorities(bundle, before),
    );
    this.#hasOldRelay = errors.length > 0;
    this.#certificate = attempt("tls", this.#certificate, () => decodeCertificate(files.tls));
    const relay = this.#relay?.relay;
    if (relay !== undefined) this.#peer = attempt("peer", this.#peer, () => decodePeer(files.peer, relay));
    this.#domains = this.#decodeDomains(files.shards, attempt);
    this.#credentials = gatherCredentials(this.#relay, this.#domains);
    return { snapshot: this.#assemble(files, errors), errors };
  }

  #decodeDomains(
    shards: ReadonlyMap<string, Files>,
    attempt: <T>(name: string, previous: T, decode: () => T) => T,
  ): Map<string, DecodedDomain> {
    const decoded = new Map<string, DecodedDomain>();
    for (const files of shards.values()) {
      for (const [name, text] of Object.entries(files)) {
        const previous = this.#domains.get(name);
        const current =
          previous?.text === text ? previous : attempt(name, previous, () => ({ text, settings: decodeDomain(text) }));
        if (current !== undefined) decoded.set(name, current);
      }
    }
    return decoded;
  }

  #assemble(files: ConfigurationFiles, errors: readonly string[]): Snapshot | undefined {
    const relay = this.#relay;
    if (relay === undefined) return undefined;
    const haveArrived = hasArrived(relay, files.shards);
    const complete = errors.length === 0 && haveArrived;
    const domains = new Map<string, DomainSettings>();
    for (const { settings } of this.#domains.values()) domains.set(settings.document.domain.toLowerCase(), settings);
    return {
      revision: complete ? relay.revision : undefined,
      relay,
      domains,
      gaps: { domains: outdatedDomains(files.shards, this.#domains), shards: !haveArrived, relay: this.#hasOldRelay },
      credentials: this.#credentials,
      certificate: this.#certificate,
      clientAuthorities: this.#clientAuthorities,
      peer: this.#peer,
    };
  }
}

/** Domains whose document as it is mounted is not the one in force. */
function outdatedDomains(
  shards: ReadonlyMap<string, Files>,
  decoded: ReadonlyMap<string, DecodedDomain>,
): ReadonlySet<string> {
  const mounted = [...shards.values()].flatMap((files) => Object.entries(files));
  const outdated = mounted.filter(([name, text]) => decoded.get(name)?.text !== text);
  return new Set(outdated.map(([name]) => name.replace(/\.json$/, "")));
}

/** Volumes are refreshed one by one: the revision is in force once every shard is the one the operator meant. */
function hasArrived(relay: RelayDocument, shards: ReadonlyMap<string, Files>): boolean {
  const names = new Set([...shards.keys(), ...Object.keys(relay.shards)]);
  return [...names].every((name) => digestOf(shards.get(name) ?? {}) === (relay.shards[name] ?? digestOf({})));
}

function digestOf(files: Files): string {
  return createHash("sha256").update(shardText(files)).digest("hex");
}

/** What Node says of a text that is none repeats a part of it, and a document holds passwords and keys. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [where = ""] = / at position \d+/.exec(String(error)) ?? [];
    throw new Error(`it is no JSON${where}`);
  }
}

function decodeRelay(text: string | undefined): RelayDocument {
  if (text === undefined) throw new Error("the file is missing");
  const document = relayDocument.parse(readJson(text));
  return { ...document, listeners: [...document.listeners, ...(document.certificateListeners ?? [])] };
}

function decodeDomain(text: string): DomainSettings {
  const document = parseDomainDocument(readJson(text));
  return {
    document,
    keys: document.keys.map(signingKeyOf),
    identities: grantedIdentities({
      ...document.senders,
      secrets: credentialsIn(document.senders).map(({ identity }) => identity),
    }),
  };
}

function signingKeyOf(key: DomainDocument["keys"][number]): SigningKey {
  const parsed = readKey(key.privateKey);
  const type = parsed.asymmetricKeyType ?? "unknown";
  if (type === "rsa") return { selector: key.selector, algorithm: "rsa-sha256", key: parsed };
  if (type === "ed25519") return { selector: key.selector, algorithm: "ed25519-sha256", key: parsed };
  throw new Error(`keys: selector ${key.selector} is ${type}: use RSA or Ed25519`);
}

function readKey(key: KeyDocument): KeyObject {
  if (typeof key === "string") return createPrivateKey(key);
  return createPrivateKey({ key: { ...rsaKeyOf(key) }, format: "jwk" });
}

function gatherCredentials(
  relay: RelayDocument | undefined,
  domains: ReadonlyMap<string, DecodedDomain>,
): Map<string, readonly CredentialDocument[]> {
  const byIdentity = new Map<string, CredentialDocument>();
  const documents = [...domains.values()].map(({ settings }) => settings.document.senders);
  for (const document of relay === undefined ? documents : [relay, ...documents]) {
    for (const credential of credentialsIn(document)) byIdentity.set(keyOf(credential), credential);
  }
  const byName = new Map<string, CredentialDocument[]>();
  for (const credential of byIdentity.values()) {
    const username = prepareUsername(credential.username);
    const same = byName.get(username) ?? [];
    same.push(credential);
    byName.set(username, same);
  }
  return byName;
}

function keyOf(credential: CredentialDocument): string {
  return `${credential.identity}\n${credential.username}\n${credential.scram.storedKey}`;
}

function describe(error: unknown): string {
  if (error instanceof z.ZodError) {
    return error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  }
  return error instanceof Error ? error.message : String(error);
}
