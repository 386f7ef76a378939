/** What the configuration Secret says of traces: the collector, with its headers and authority inlined. Pure. */
import type { TracingDocument } from "../../../api/relayconfig.ts";
import type { Readings } from "../../references/readings.ts";
import type { RelayWorld } from "../world.ts";

/** Undefined when nothing is to be traced. Not to be used while something that spec.tracing refers to is in trouble. */
export function tracingDocument(
  { relay, installation }: Pick<RelayWorld, "relay" | "installation">,
  readings: Pick<Readings, "headers" | "authorities">,
): TracingDocument | undefined {
  const { tracing } = relay.spec;
  if (tracing === undefined) return undefined;
  const ca = readings.authorities.get("spec.tracing.caRef");
  return {
    ...(tracing.endpoint === undefined ? {} : { endpoint: tracing.endpoint }),
    samplingRatio: Number(tracing.samplingRatio),
    headers: { ...readings.headers.get("spec.tracing.headersRef") },
    ...(ca === undefined ? {} : { ca }),
    trustedNextHops: tracing.trustedNextHops.flatMap((host) => {
      // A local name is trusted where it leads, and nowhere else on that address.
      const local = [...installation.addressBook].filter(([name]) => name === host || name.startsWith(`${host}:`));
      return [{ host }, ...local.map(([, address]) => ({ host: address.host, port: address.port }))];
    }),
  };
}
