/** Asks for the keys of a relay's token issuers. */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { PodFact } from "../pods/facts.ts";
import type { IssuerFact, IssuerFacts } from "./issuer.ts";
import type { IssuerSource } from "./source.ts";

export interface IssuersAsked {
  readonly issuers: IssuerSource;
  readonly identities: MailRelay["spec"]["identities"];
  /** By the field that refers to them. */
  readonly authorities: ReadonlyMap<string, string>;
  readonly pods: readonly PodFact[];
}

export async function gatherIssuers({ issuers, identities, authorities, pods }: IssuersAsked): Promise<IssuerFacts> {
  const awaited = new Set(pods.flatMap(({ report }) => report?.unknownTokenKeys ?? []));
  const { serviceAccounts, oidc } = identities;
  const cluster = serviceAccounts === undefined ? undefined : await issuers.cluster(awaited.has(""));
  const facts = await Promise.all(
    oidc.map(async ({ name, issuer, caRef }, index): Promise<readonly (readonly [string, IssuerFact])[]> => {
      const ca = authorities.get(`spec.identities.oidc[${index}].caRef`);
      // Who signs for it is not known: nobody else is believed in its place.
      if (caRef !== undefined && ca === undefined) return [];
      return [[name, await issuers.oidc({ issuer, ca }, awaited.has(name))]];
    }),
  );
  return { cluster, oidc: new Map(facts.flat()) };
}
