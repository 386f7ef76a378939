/** Smarthosts as relays need them: credentials and authorities inlined, local names replaced by addresses. Pure. */
import type { SmarthostDocument } from "../../api/relayconfig.ts";
import type { Readings } from "./readings.ts";
import type { Installation } from "../installation/installation.ts";

/** A smarthost as manifests spell it. */
export interface SmarthostSpec {
  readonly host: string;
  readonly port: number;
  readonly tlsMode: SmarthostDocument["tlsMode"];
}

export interface SmarthostQuestion {
  readonly smarthosts: readonly SmarthostSpec[];
  /** Path of the list, for example `spec.delivery.smarthosts`. */
  readonly field: string;
  /** Of what they refer to. One that refers to something else than these have is not to be used: see their problems. */
  readonly readings: Pick<Readings, "logins" | "authorities">;
  readonly installation: Pick<Installation, "addressBook">;
}

export function smarthostDocuments({ smarthosts, ...question }: SmarthostQuestion): readonly SmarthostDocument[] {
  const { addressBook } = question.installation;
  return smarthosts.map((smarthost, index) => {
    const field = `${question.field}[${index}]`;
    const credentials = question.readings.logins.get(`${field}.credentialsRef`);
    const ca = question.readings.authorities.get(`${field}.caRef`);
    const { host, port, tlsMode } = smarthost;
    const address = addressBook.get(`${host}:${port}`) ?? addressBook.get(host) ?? smarthost;
    return {
      host: address.host,
      port: address.port,
      tlsMode,
      ...(credentials === undefined ? {} : { credentials }),
      ...(ca === undefined ? {} : { ca }),
    };
  });
}
