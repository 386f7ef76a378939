/**
 * Gives pods the order to leave, and takes it back, over their administration port. The operator shows a certificate that
 * lives in its memory alone; a pod is believed for the relay that its certificate names. What fails is a fact, not an error:
 * the order is given again for as long as the pod's report does not show it.
 */
import { request } from "node:https";
import type { TLSSocketOptions } from "node:tls";
import {
  drainPath,
  identityOf,
  operatorIdentity,
  quotasPath,
  relayIdentity,
  type DrainOrder,
  type QuotaLeases,
} from "../../api/administration.ts";
import type { InternalAuthority } from "../trust/internalauthority.ts";
import type { IssuedCertificate } from "../trust/certificate.ts";
import type { NextHopAddress } from "../installation/installation.ts";

export interface OrderRequest {
  readonly address: NextHopAddress;
  /** The pod's. */
  readonly relay: { readonly namespace: string; readonly name: string };
  /** Undefined takes back the order that was given. */
  readonly order: DrainOrder | undefined;
  /** Given in place of any order to leave. */
  readonly leases?: QuotaLeases;
  readonly authority: InternalAuthority;
}

/** Resolves to why the pod did not take it, for people; undefined when it did. */
export type GiveOrder = (request: OrderRequest) => Promise<string | undefined>;

export interface OrderSettings {
  /** Asked right before each order: an operator that leads no longer must not undo what the next one decides. */
  readonly mayOrder: () => boolean;
  readonly now: () => number;
}

const timeoutMs = 5_000;
/** A key that nobody stores is better young. */
const lifeMs = 86_400_000;
/** Of an answer this much is for people, in characters. */
const shownAnswer = 200;

export function openOrders({ mayOrder, now }: OrderSettings): GiveOrder {
  const identify = operatorCertificate(now);
  return async (asked) => {
    const own = await identify(asked.authority);
    if (!mayOrder()) return "this operator leads no longer";
    try {
      const { status, text } = await send(asked, own);
      return status >= 200 && status < 300 ? undefined : `it answers ${status}: ${text.trim().slice(0, shownAnswer)}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
}

/** One at a time for all orders, made anew with another authority and when a third of its life is left. */
function operatorCertificate(now: () => number): (authority: InternalAuthority) => Promise<IssuedCertificate> {
  let made: { readonly by: string; readonly until: number; readonly leaf: Promise<IssuedCertificate> } | undefined;
  return (authority) => {
    const at = now();
    if (made === undefined || made.by !== authority.certificate || at >= made.until || at < made.until - lifeMs) {
      made = { by: authority.certificate, until: at + (lifeMs * 2) / 3, leaf: issue(authority, at) };
      // What could not be made is tried again with the next order.
      made.leaf.catch(() => (made = undefined));
    }
    return made.leaf;
  };
}

async function issue(authority: InternalAuthority, now: number): Promise<IssuedCertificate> {
  const { issueLeaf } = await import("../trust/issue.ts");
  return issueLeaf({ authority, names: [], uris: [operatorIdentity], isClient: true, lifeMs, now });
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function send({ address, relay, order, leases, authority }: OrderRequest, own: IssuedCertificate): Promise<Answer> {
  const given = leases ?? order;
  const body = given === undefined ? undefined : JSON.stringify(given);
  const trust: TLSSocketOptions & { checkServerIdentity: typeof check } = {
    ca: authority.bundle,
    cert: own.certificate,
    key: own.privateKey,
    minVersion: "TLSv1.3",
    checkServerIdentity: check,
  };
  // Addresses of pods come and go: who answers is told by the URI in its certificate, after its chain was checked.
  function check(_host: string, certificate: { readonly subjectaltname?: string }): Error | undefined {
    const names = certificate.subjectaltname ?? "no name";
    const identity = relayIdentity(relay);
    return identityOf(certificate.subjectaltname) === identity
      ? undefined
      : new Error(`${names} answers, not ${identity}`);
  }
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...trust,
        ...address,
        method: body === undefined ? "DELETE" : "POST",
        path: leases === undefined ? drainPath : quotasPath,
        agent: false,
        signal: AbortSignal.timeout(timeoutMs),
        headers: body === undefined ? {} : { "content-type": "application/json" },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          if (text.length < shownAnswer) text += part;
        });
        response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
        response.once("error", reject);
      },
    );
    sent.once("error", (error) =>
      reject(error.name === "AbortError" ? new Error(`no answer within ${timeoutMs / 1000} s`) : error),
    );
    sent.end(body);
  });
}
