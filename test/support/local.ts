/** Local mode as a person runs it: a folder of manifests, a state directory, what it prints. */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { Program } from "./program.ts";
import { repositoryRoot } from "./results.ts";
import { keepSecrets } from "./secrets/disclosure.ts";
import { secretsIn } from "./secrets/documents.ts";

export interface LocalOptions {
  /** Holds manifests, state and log; local mode started again on it goes on. */
  readonly directory: string;
  /** File name to text; written before the start. */
  readonly manifests: Readonly<Record<string, string>>;
  /** Beside those for manifests and state. */
  readonly flags?: readonly string[];
}

const listeners = ["submission", "submissions", "smtp", "http", "admin"] as const;
export const localLogin = { name: "app", password: "app-password" } as const;

export class LocalMode {
  program: Program;
  readonly directory: string;
  readonly #ports: Readonly<Record<string, number>>;

  private constructor(program: Program, directory: string, ports: Readonly<Record<string, number>>) {
    this.program = program;
    this.directory = directory;
    this.#ports = ports;
  }

  /** The first start: ports are chosen here and kept on file, so that tests do not meet a person's own local mode. */
  static async start(options: LocalOptions): Promise<LocalMode> {
    const { directory } = options;
    const ports: Record<string, number> = {};
    for (const name of listeners) ports[name] = await freePort();
    mkdirSync(join(directory, "state"), { recursive: true });
    const book = Object.entries(ports).map(([name, port]) => [`mail.outbound-0/${name}`, port] as const);
    ports["page"] = await freePort();
    const page = ["page", ports["page"]] as const;
    writeFileSync(join(directory, "state/ports.json"), JSON.stringify(Object.fromEntries([...book, page])));
    for (const [name, text] of Object.entries(options.manifests)) writeManifest(directory, name, text);
    return new LocalMode(await launch(directory, options.flags), directory, ports);
  }

  async startAgain(flags: readonly string[] = []): Promise<void> {
    this.program = await launch(this.directory, flags);
  }

  /** Of a listener that was given its port by local mode, for example `mail.inner-0/submission`. */
  portOnFile(use: string): number {
    const book: unknown = JSON.parse(readFileSync(join(this.directory, "state/ports.json"), "utf8"));
    const port: unknown =
      typeof book === "object" && book !== null ? Object.entries(book).find(([name]) => name === use)?.[1] : 0;
    if (typeof port !== "number") throw new Error(`no port of ${use}`);
    return port;
  }

  /** Address of the page. */
  get page(): string {
    return `http://localhost:${this.port("page")}/`;
  }

  port(listener: string): number {
    const port = this.#ports[listener];
    if (port === undefined) throw new Error(`no listener ${listener}`);
    return port;
  }

  writeManifest(name: string, text: string): void {
    writeManifest(this.directory, name, text);
  }

  removeManifest(name: string): void {
    rmSync(join(this.directory, "manifests", name));
  }

  /** Process ids of the relays it has started. */
  relayIds(): readonly number[] {
    return readdirSync("/proc").flatMap((entry) => {
      const id = Number(entry);
      return Number.isInteger(id) && parentOf(id) === this.program.pid ? [id] : [];
    });
  }
}

function writeManifest(directory: string, name: string, text: string): void {
  const folder = join(directory, "manifests");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(directory, `${name}.new`), text);
  renameSync(join(directory, `${name}.new`), join(folder, name));
}

async function launch(directory: string, others: readonly string[] = []): Promise<Program> {
  const flags = ["--manifests", join(directory, "manifests"), "--state", join(directory, "state"), ...others];
  const program = new Program({
    command: [process.execPath, join(repositoryRoot, "local/main.ts"), "run", ...flags],
    logFile: join(directory, "local.log"),
  });
  try {
    await program.waitFor("ready", (line) => line === "ready", 60_000);
  } catch (error) {
    // Nobody else knows of it yet: it would hold the test's process up.
    await program.kill("SIGKILL");
    throw error;
  }
  keepKeysOf(join(directory, "state"));
  return program;
}

/** The keys and verifiers that local mode has made; the passwords of its manifests it tells whoever asks how to log in. */
function keepKeysOf(state: string): void {
  for (const entry of readdirSync(state, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(?:json|pem|key)$/.test(entry.name)) continue;
    keepSecrets(secretsIn(readFileSync(join(entry.parentPath, entry.name), "utf8"), entry.name));
  }
}

/** Undefined when the process is gone (proc(5), the fourth field of stat, behind the name in parentheses). */
function parentOf(id: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** A relay and a domain of it, with the next hop of the test's choice or local mode's own capture server. */
export function localManifests(nextHop?: {
  readonly host: string;
  readonly port: number;
}): Readonly<Record<string, string>> {
  const hop = nextHop ?? { host: "capture.mailboat.localhost", port: 25 };
  return {
    "relay.yaml": `apiVersion: mailboat.dev/v1alpha1
kind: MailRelay
metadata: {name: outbound, namespace: mail}
spec:
  hostname: relay.mailboat.localhost
  listeners:
    - {name: submission, port: 587, tlsMode: StartTLS, authentication: Required}
    - {name: submissions, port: 465, tlsMode: Implicit, authentication: Required}
    - {name: smtp, port: 25, tlsMode: StartTLS, authentication: Optional, trustedNetworks: [127.0.0.0/8]}
  tls: {selfSigned: {}}
  delivery:
    smarthosts:
      - {name: first, host: ${hop.host}, port: ${hop.port}, tlsMode: None}
    retry: {first: 1s, max: 5s, expireAfter: 1h}
  limits: {connectionsPerClient: 200}
`,
    "domain.yaml": `apiVersion: mailboat.dev/v1alpha1
kind: SenderDomain
metadata: {name: example-com, namespace: mail}
spec:
  domain: example.com
  relayRef: {name: outbound}
  dkim:
    managed: {algorithms: [RSA2048, Ed25519]}
  senders:
    - name: logins
      credentials: {secretSelector: {matchLabels: {mailboat.dev/login: example-com}}}
    - {name: networks, trustedNetworks: true}
---
apiVersion: v1
kind: Secret
metadata: {name: app-login, namespace: mail, labels: {mailboat.dev/login: example-com}}
type: kubernetes.io/basic-auth
stringData: {username: ${localLogin.name}, password: ${localLogin.password}}
`,
  };
}
