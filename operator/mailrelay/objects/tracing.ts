/** What the configuration Secret says of traces: the collector, with its headers and authority inlined. Pure. */
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { TracingDocument } from "../../../api/relayconfig.ts";
import { secretText } from "../../kube/secret.ts";
import { readAuthorities } from "../certificate.ts";
import { forbiddenProblem } from "../rights.ts";
import type { Secret } from "../../kube/objects.ts";
import type { ReferenceProblem, RelayWorld } from "../world.ts";

type TracingSpec = NonNullable<MailRelay["spec"]["tracing"]>;

export interface TracingReading {
  /** Undefined when nothing is to be traced, and when a Secret is in trouble. */
  readonly document: TracingDocument | undefined;
  readonly problems: readonly ReferenceProblem[];
}

/** Names of the Secrets that tracing refers to. */
export function tracingSecretNames(spec: MailRelay["spec"]): readonly string[] {
  const { headersRef, caRef } = spec.tracing ?? {};
  return [headersRef?.name, caRef?.name].filter((name) => name !== undefined);
}

export function readTracing(world: RelayWorld): TracingReading {
  const { tracing } = world.relay.spec;
  if (tracing === undefined) return { document: undefined, problems: [] };
  const headers = readHeaders(world, tracing);
  const ca = readAuthority(world, tracing);
  const problems = [headers.problem, ca.problem].filter((problem) => problem !== undefined);
  if (problems.length > 0) return { document: undefined, problems };
  return {
    document: {
      ...(tracing.endpoint === undefined ? {} : { endpoint: tracing.endpoint }),
      samplingRatio: Number(tracing.samplingRatio),
      headers: headers.value ?? {},
      ...(ca.value === undefined ? {} : { ca: ca.value }),
      trustedNextHops: tracing.trustedNextHops.flatMap((host) => {
        // A local name is trusted where it leads, and nowhere else on that address.
        const local = [...world.place.addressBook].filter(([name]) => name === host || name.startsWith(`${host}:`));
        return [{ host }, ...local.map(([, address]) => ({ host: address.host, port: address.port }))];
      }),
    },
    problems: [],
  };
}

interface Found<T> {
  readonly value?: T;
  readonly problem?: ReferenceProblem;
}

/** RFC 9110 section 5.1 and 5.5, without what no HTTP client lets anybody set. */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headerValue = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const ownHeaders: ReadonlySet<string> = new Set(
  "connection content-encoding content-length content-type host transfer-encoding user-agent".split(" "),
);

function readHeaders(world: RelayWorld, { headersRef }: TracingSpec): Found<Record<string, string>> {
  if (headersRef === undefined) return {};
  const { name } = headersRef;
  const field = "spec.tracing.headersRef";
  const { secret, problem } = secretNamed(world, field, name);
  if (secret === undefined) return problem === undefined ? {} : { problem };
  const value: Record<string, string> = {};
  for (const key of Object.keys(secret.data).toSorted()) {
    // Files, and so Secrets made of them, like to end in a line end.
    const text = secretText(secret, key)?.trim() ?? "";
    const wrong = wrongHeader(key, text);
    if (wrong !== undefined)
      return { problem: { kind: "invalid", field, message: `${field}: Secret ${name}, data key ${key}: ${wrong}` } };
    value[key] = text;
  }
  return { value };
}

/** Never says the value: it is a credential. */
function wrongHeader(name: string, value: string): string | undefined {
  if (!headerName.test(name)) return "is no name of an HTTP header: rename the key";
  if (ownHeaders.has(name.toLowerCase())) return "is a header that the exporter sets itself: remove the key";
  return headerValue.test(value) ? undefined : "its value is no HTTP header value: one line of printable ASCII";
}

function readAuthority(world: RelayWorld, { caRef }: TracingSpec): Found<string> {
  if (caRef === undefined) return {};
  const { name, key } = caRef;
  const field = "spec.tracing.caRef";
  const { secret, problem } = secretNamed(world, field, name);
  if (secret === undefined) return problem === undefined ? {} : { problem };
  const reading = readAuthorities(secretText(secret, key), world.now, key);
  if (reading.kind === "usable") return { value: reading.pem };
  return { problem: { kind: "invalid", field, message: `${field}: Secret ${name} ${reading.why}` } };
}

function secretNamed(
  world: RelayWorld,
  ...[field, name]: readonly [string, string]
): { readonly secret?: Secret; readonly problem?: ReferenceProblem } {
  const { namespace } = world.relay.metadata;
  if (world.forbidden.has(name)) return { problem: forbiddenProblem({ field, namespace, place: world.place }) };
  const secret = world.secrets.get(name);
  if (secret !== undefined) return { secret };
  const message = `${field}: Secret ${name} does not exist: create it or correct the name`;
  return { problem: { kind: "missing", field, message } };
}
