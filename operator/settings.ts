/** What a run of the operator is told by flags and environment; flags win. Mistakes are errors that name what to do. */
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { z } from "zod";
import { parseDuration } from "../api/duration.ts";
import { usualClassName } from "../api/mailrelay.ts";
import {
  accepted,
  type Environment,
  ipAddress,
  logLevel,
  UsageError,
  variablesOf,
  verbOf,
} from "../runtime/commandline.ts";
import { gatherTracing, tracingSettings } from "./tracingsettings.ts";

export const usage = `Mailboat operator

  node operator/main.ts run --relay-image IMAGE

    Runs the operator of a Kubernetes cluster. Several may run: one leads, the others stand by.

    --relay-image IMAGE     image of relay pods whose MailRelay names none (RELAY_IMAGE; required)
    --own-image IMAGE       image that this operator is of, which tells what relays of that image read (OWN_IMAGE; default: that
                            of --relay-image)
    --relay-image-pull-policy P  Always, IfNotPresent or Never, for relay pods (RELAY_IMAGE_PULL_POLICY; default: Kubernetes')
    --relay-image-pull-secrets A,B  Secrets for pulling the image, in each relay's namespace, for those whose MailRelay names
                            none (RELAY_IMAGE_PULL_SECRETS; default: none)
    --cluster-domain NAME   how names of Services end, for our own certificates (CLUSTER_DOMAIN; default cluster.local)
    --class-name NAME       which MailRelays are served: those whose spec.className it is (CLASS_NAME; default mailboat)
    --kubeconfig FILE       which cluster, and as whom (default: KUBECONFIG, ~/.kube/config, or the pod's own account)
    --context NAME          context of the kubeconfig (default: its current one)
    --namespaces A,B        namespaces that are watched (WATCH_NAMESPACES; default: all)
    --namespace NAME        namespace of the lease and of the operator's own Secrets
                            (POD_NAMESPACE; default: the pod's or context's, else mailboat-system)
    --service-account NAME  the operator's own account, for the commands that messages show
                            (SERVICE_ACCOUNT; default mailboat-operator)
    --secrets-role KIND/NAME  what lets the operator at Secrets where it is bound, for the same commands
                            (SECRETS_ROLE; default ClusterRole/mailboat-secrets)
    --lease-name NAME       (LEASE_NAME; default mailboat-operator)
    --lease-duration TIME   how long others wait for a leader that says nothing (LEASE_DURATION; default 15s)
    --renew-deadline TIME   how long a leader that cannot renew goes on writing; no write may take longer than what is left of
                            the lease then, 3s or more (RENEW_DEADLINE; default 10s)
    --retry-period TIME     between two tries to renew or to take the lease (RETRY_PERIOD; default 2s)
    --identity NAME         who holds the lease, for people (POD_NAME; default: the host's name)
    --host ADDRESS          where health and metrics are served (LISTEN_HOST; default 0.0.0.0)
    --port PORT             /healthz, /readyz and /metrics (HTTP_PORT; default 9464)
    --workers N             resources looked at at the same time (WORKERS; default 16)
    --max-rollouts N        MailRelays that replace their pods at the same time when this operator brings them another
                            template (MAX_ROLLOUTS; default 10)
    --log-level LEVEL       (LOG_LEVEL; default info)
    --otlp-endpoint URL     collector for traces of reconciles that write or fail (OTEL_EXPORTER_OTLP_ENDPOINT; default:
                            none), with OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_CERTIFICATE
    --trace-sampling-ratio N  share of them, 0 to 1; failures are always traced (OTEL_TRACES_SAMPLER_ARG; default 1)

  node operator/main.ts release

    For the uninstallation: takes the operator's finalizer off every MailRelay of its class once no operator leads, so that they can be
    deleted while there is none. Flags as for run, those of the pages, workers and images apart.

  node operator/main.ts convert FILE...

    Prints manifests of the first edition of mailboat.dev/v1alpha1 in the form of today, comments kept. \`-\` is the
    standard input.

  --help                    this text
`;

const label = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, { error: "must be lower-case letters, digits and '-'" });

/** RFC 1123: labels with dots between them. */
const objectName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, {
    error: "must be lower-case letters, digits, '-' and '.', for example cluster.local",
  });

const secretsRole = z
  .string()
  .regex(/^(?:ClusterRole|Role)\/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, {
    error: "must be ClusterRole/NAME or Role/NAME",
  })
  .transform((text) => {
    const [kind, name = ""] = text.split("/");
    return { kind: kind === "Role" ? ("Role" as const) : ("ClusterRole" as const), name };
  });

const leaseTime = z.string().transform((text, context) => {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  context.addIssue({ code: "custom", message: "must be a time, for example 15s" });
  return z.NEVER;
});

/** What is left of the lease after the deadline is all that a write may take: less is over while a busy API server admits it. */
const leastLeftMs = 3_000;

/** Others read the duration in whole seconds. */
const leaseTimes = z
  .object({ durationMs: leaseTime, renewDeadlineMs: leaseTime, retryMs: leaseTime })
  .superRefine(({ durationMs, renewDeadlineMs, retryMs }, context) => {
    const refuse = (name: string, message: string): void => context.addIssue({ code: "custom", message, path: [name] });
    if (durationMs < 5_000 || durationMs > 3_600_000 || durationMs % 1_000 !== 0) {
      refuse("durationMs", "--lease-duration must be whole seconds from 5s to 1h");
    }
    if (renewDeadlineMs > durationMs - leastLeftMs) {
      const why = "no write may take longer than the difference";
      refuse("renewDeadlineMs", `--renew-deadline must be shorter than --lease-duration by 3s or more: ${why}`);
    }
    if (retryMs < 100 || retryMs * 2 > renewDeadlineMs) {
      refuse("retryMs", "--retry-period must be 100ms or more, and half of --renew-deadline or less");
    }
  });

const clusterSettings = z.object({
  relayImage: z.string({ error: "name the image of relay pods with --relay-image or RELAY_IMAGE" }).min(1),
  ownImage: z.string().min(1).optional(),
  relayImagePullPolicy: z
    .enum(["Always", "IfNotPresent", "Never"], { error: "must be Always, IfNotPresent or Never" })
    .optional(),
  relayImagePullSecrets: z.array(objectName),
  clusterDomain: objectName,
  className: label,
  kubeconfig: z.string().optional(),
  context: z.string().optional(),
  namespaces: z.array(label),
  namespace: label.optional(),
  serviceAccount: z.string().min(1),
  secretsRole,
  leaseName: label,
  leaseTimes,
  identity: z.string().min(1),
  listenHost: ipAddress,
  port: z.coerce.number({ error: "must be a port number" }).int().min(0).max(65_535),
  maxRollouts: z.coerce.number({ error: "must be a number from 1 to 1000" }).int().min(1).max(1_000),
  workers: z.coerce.number({ error: "must be a number from 1 to 64" }).int().min(1).max(64),
  /** Every resource is looked at this often even when nothing changed, in milliseconds. */
  resyncMs: z.coerce.number({ error: "must be milliseconds" }).int().min(1_000),
  /** A watch that says nothing for this long, not even a bookmark, has no server behind it, in milliseconds. */
  watchSilenceMs: z.coerce.number({ error: "must be milliseconds" }).int().min(1_000),
  logLevel,
  /** Absent: nothing is traced. */
  tracing: tracingSettings.optional(),
});

const releaseSettings = clusterSettings
  .pick({
    kubeconfig: true,
    context: true,
    namespaces: true,
    namespace: true,
    leaseName: true,
    leaseTimes: true,
    className: true,
    identity: true,
    logLevel: true,
  })
  .extend({
    /** How long an operator may take to give up the lease, in milliseconds. */
    patienceMs: z.int(),
  });

export type ReleaseSettings = z.infer<typeof releaseSettings>;
export type ClusterSettings = z.infer<typeof clusterSettings>;

export type Command =
  | { readonly verb: "help" }
  | { readonly verb: "run"; readonly settings: ClusterSettings }
  | { readonly verb: "release"; readonly settings: ReleaseSettings }
  | { readonly verb: "convert"; readonly files: readonly string[] };

/** Throws UsageError. */
export function readCommand(args: readonly string[], environment: Environment): Command {
  const { values, positionals } = parseFlags(args);
  if (values.help === true) return { verb: "help" };
  if (positionals[0] === "convert") return { verb: "convert", files: filesToConvert(positionals.slice(1), values) };
  const verb = verbOf(positionals, Object.keys(values), flagsOf);
  const set = variablesOf(environment);
  return verb === "run" ? readCluster(values, set) : readRelease(values, set);
}

type Flags = ReturnType<typeof parseFlags>["values"];
type Variable = (name: string) => string | undefined;

function filesToConvert(files: readonly string[], values: Flags): readonly string[] {
  const [flag] = Object.keys(values);
  if (flag !== undefined) throw new UsageError(`--${flag} is no flag of \`convert\`; --help lists them`);
  if (files.length === 0) throw new UsageError("convert: name the files with manifests, or - for the standard input");
  return files;
}

const tenHoursMs = 36_000_000;
/** Bookmarks come about once a minute. */
const ninetySecondsMs = 90_000;

function readCluster(values: Flags, set: Variable): Command {
  const settings = clusterSettings.safeParse({
    ...whoAndWhere(values, set),
    relayImage: values["relay-image"] ?? set("RELAY_IMAGE"),
    ownImage: values["own-image"] ?? set("OWN_IMAGE"),
    relayImagePullPolicy: values["relay-image-pull-policy"] ?? set("RELAY_IMAGE_PULL_POLICY"),
    relayImagePullSecrets: listed(values["relay-image-pull-secrets"] ?? set("RELAY_IMAGE_PULL_SECRETS")),
    clusterDomain: values["cluster-domain"] ?? set("CLUSTER_DOMAIN") ?? "cluster.local",
    serviceAccount: values["service-account"] ?? set("SERVICE_ACCOUNT") ?? "mailboat-operator",
    secretsRole: values["secrets-role"] ?? set("SECRETS_ROLE") ?? "ClusterRole/mailboat-secrets",
    listenHost: values.host ?? set("LISTEN_HOST") ?? "0.0.0.0",
    port: values.port ?? set("HTTP_PORT") ?? "9464",
    workers: values.workers ?? set("WORKERS") ?? "16",
    maxRollouts: values["max-rollouts"] ?? set("MAX_ROLLOUTS") ?? "10",
    resyncMs: set("RESYNC_MS") ?? tenHoursMs,
    watchSilenceMs: set("WATCH_SILENCE_MS") ?? ninetySecondsMs,
    tracing: gatherTracing({ endpoint: values["otlp-endpoint"], samplingRatio: values["trace-sampling-ratio"] }, set),
  });
  return { verb: "run", settings: accepted(settings) };
}

function readRelease(values: Flags, set: Variable): Command {
  const where = whoAndWhere(values, set);
  // Twice what a lease lives after its holder died.
  const patienceMs = 2 * (parseDuration(where.leaseTimes.durationMs) ?? 0);
  const settings = releaseSettings.safeParse({ ...where, patienceMs });
  return { verb: "release", settings: accepted(settings) };
}

function whoAndWhere(values: Flags, set: Variable) {
  return {
    kubeconfig: values.kubeconfig,
    context: values.context,
    namespaces: listed(values.namespaces ?? set("WATCH_NAMESPACES")),
    namespace: values.namespace ?? set("POD_NAMESPACE"),
    className: values["class-name"] ?? set("CLASS_NAME") ?? usualClassName,
    leaseName: values["lease-name"] ?? set("LEASE_NAME") ?? "mailboat-operator",
    leaseTimes: {
      durationMs: values["lease-duration"] ?? set("LEASE_DURATION") ?? "15s",
      renewDeadlineMs: values["renew-deadline"] ?? set("RENEW_DEADLINE") ?? "10s",
      retryMs: values["retry-period"] ?? set("RETRY_PERIOD") ?? "2s",
    },
    identity: values.identity ?? set("POD_NAME") ?? hostname(),
    logLevel: values["log-level"] ?? set("LOG_LEVEL") ?? "info",
  };
}

function listed(names = ""): readonly string[] {
  return names.split(",").filter((name) => name !== "");
}

const text = { type: "string" } as const;

const whoAndWhereFlags = [
  "kubeconfig",
  "context",
  "namespaces",
  "namespace",
  "class-name",
  "lease-name",
  "lease-duration",
  "renew-deadline",
  "retry-period",
  "identity",
  "log-level",
];
const tracingFlags = ["otlp-endpoint", "trace-sampling-ratio"];

const relayFlags = ["relay-image", "own-image", "relay-image-pull-policy", "relay-image-pull-secrets"];

const flagsOf: Readonly<Record<"run" | "release", ReadonlySet<string>>> = {
  run: new Set([
    ...relayFlags,
    "cluster-domain",
    "service-account",
    "secrets-role",
    "host",
    "port",
    "workers",
    "max-rollouts",
    ...tracingFlags,
    ...whoAndWhereFlags,
  ]),
  release: new Set(whoAndWhereFlags),
};

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        host: text,
        "log-level": text,
        "relay-image": text,
        "own-image": text,
        "relay-image-pull-policy": text,
        "relay-image-pull-secrets": text,
        "cluster-domain": text,
        "class-name": text,
        kubeconfig: text,
        context: text,
        namespaces: text,
        namespace: text,
        "service-account": text,
        "secrets-role": text,
        "lease-name": text,
        "lease-duration": text,
        "renew-deadline": text,
        "retry-period": text,
        identity: text,
        port: text,
        workers: text,
        "max-rollouts": text,
        "otlp-endpoint": text,
        "trace-sampling-ratio": text,
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}; --help lists the flags`);
  }
}
