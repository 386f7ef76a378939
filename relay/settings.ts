/** What the relay program is told by its environment; everything else comes from the configuration directory. */
import { z } from "zod";

const settings = z.object({
  MAILBOAT_CONFIGURATION_DIR: z.string().min(1),
  MAILBOAT_SPOOL_DIR: z.string().min(1),
  MAILBOAT_LISTEN_HOST: z.string().default("::"),
  MAILBOAT_PORTS: z
    .string()
    .default("{}")
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: "custom", message: "must be a JSON object of listener name to port" });
        return z.NEVER;
      }
    })
    .pipe(z.record(z.string(), z.int().min(0).max(65535))),
  MAILBOAT_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  /** For tests, whose MX hosts cannot all have port 25; mail by MX goes to this port. */
  MAILBOAT_MX_PORT: z.coerce.number().int().min(1).max(65535).default(25),
  /** How long a stop waits for messages in flight; the pod's grace period is longer. */
  MAILBOAT_STOP_DEADLINE_MS: z.coerce.number().int().min(0).default(25_000),
  /** `1`: every sampled span that ends is a line of the log, too. Without an endpoint every message is sampled then. */
  MAILBOAT_SPAN_LINES: z.enum(["0", "1"]).default("0"),
});

export interface Settings {
  readonly configurationDirectory: string;
  readonly spoolDirectory: string;
  readonly listenHost: string;
  /** Overrides of configured ports, by listener name; `http` for the observation port. */
  readonly ports: ReadonlyMap<string, number>;
  readonly logLevel: string;
  readonly mxPort: number;
  readonly stopDeadlineMs: number;
  readonly spanLines: boolean;
}

/** Where a relay that runs beside us keeps its mail and answers. */
export interface InspectionSettings {
  readonly spoolDirectory: string | undefined;
  /** As it stands in a URL. */
  readonly host: string;
  readonly port: number;
}

/** Where pages are served when nothing else is said. */
export const observationPort = 9464;

/** Throws with the variable's name and what it must be. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const read = parsed(settings, environment);
  return {
    configurationDirectory: read.MAILBOAT_CONFIGURATION_DIR,
    spoolDirectory: read.MAILBOAT_SPOOL_DIR,
    listenHost: read.MAILBOAT_LISTEN_HOST,
    ports: new Map(Object.entries(read.MAILBOAT_PORTS)),
    logLevel: read.MAILBOAT_LOG_LEVEL,
    mxPort: read.MAILBOAT_MX_PORT,
    stopDeadlineMs: read.MAILBOAT_STOP_DEADLINE_MS,
    spanLines: read.MAILBOAT_SPAN_LINES === "1",
  };
}

const inspectionSettings = settings
  .pick({ MAILBOAT_SPOOL_DIR: true, MAILBOAT_LISTEN_HOST: true, MAILBOAT_PORTS: true })
  .partial({ MAILBOAT_SPOOL_DIR: true });

/** From the environment that the relay itself has. Throws as readSettings() does. */
export function readInspectionSettings(environment: NodeJS.ProcessEnv): InspectionSettings {
  const read = parsed(inspectionSettings, environment);
  const host = read.MAILBOAT_LISTEN_HOST;
  // A relay that listens everywhere listens on loopback, which is also where it tells stories.
  const isEverywhere = host === "::" || host === "0.0.0.0";
  return {
    spoolDirectory: read.MAILBOAT_SPOOL_DIR,
    host: isEverywhere ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host,
    port: read.MAILBOAT_PORTS["http"] ?? observationPort,
  };
}

function parsed<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv): T {
  const read = schema.safeParse(environment);
  if (read.success) return read.data;
  const faults = read.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`environment: ${faults.join("; ")}`);
}
