/** Waits until the relays take mail, then shows the first page. */
import { setTimeout as pause } from "node:timers/promises";
import { administrationPortName } from "../api/administration.ts";
import type { MailRelay } from "../api/mailrelay.ts";
import type { SenderDomain } from "../api/senderdomain.ts";
import type { ContainerPort, Pod, Secret, Stored } from "../operator/kube/objects.ts";
import { secretText } from "../operator/kube/secret.ts";
import { matchesSelector } from "../operator/kube/selector.ts";
import { refersTo } from "../operator/binding/consent.ts";
import { basicAuthType } from "../operator/credentials/logins.ts";
import { relayLabel } from "../api/labels.ts";
import { createNetworks } from "../runtime/network.ts";
import type { LocalSettings } from "./settings.ts";
import { banner, type ListenerRow } from "./terminal/banner.ts";
import type { LocalKube } from "./kube.ts";
import { sourceOf } from "./logins.ts";
import type { Printer } from "./print.ts";
import type { OpenWay, RunningLocal, Trial } from "./running.ts";
import type { Terminal } from "./terminal/terminal.ts";

/** After this time the page is shown as it is: something is wrong and was said already. */
const patienceMs = 10_000;
const lookMs = 25;

export interface Introduction {
  readonly kube: LocalKube;
  readonly settings: LocalSettings;
  readonly pagePort: number;
  readonly printer: Printer;
  readonly stopping: AbortSignal;
  readonly terminal: Terminal;
}

/** Resolves with what was shown, once every relay takes mail. */
export async function introduce(introduction: Introduction): Promise<RunningLocal> {
  const { kube, settings, pagePort, printer, stopping, terminal } = introduction;
  for (let waitedMs = 0; waitedMs < patienceMs && !stopping.aborted; waitedMs += lookMs) {
    if (await allReady(kube)) break;
    await pause(lookMs);
  }
  const relays = await kube.list("MailRelay");
  if (relays.length === 0)
    printer.warn(`${settings.manifests} holds no MailRelay that could run: add one, it is taken at once`);
  const rows: ListenerRow[] = [];
  for (const relay of relays) rows.push(...rowsOf(relay, await podsOf(kube, relay)));
  const page = `http://localhost:${pagePort}/`;
  const trial = await trialOf(kube, relays);
  const openWay = await openWayOf(kube, relays);
  const { manifests, state } = settings;
  const view = { manifests, state, rows, page, openWay, trial, showsPassword: terminal.isTerminal };
  if (!stopping.aborted) terminal.write(settings.quiet ? `${page}\n` : banner(view, terminal.paint));
  // A slow machine gets its page before its relays.
  if (!(await allReady(kube))) printer.begin();
  while (!stopping.aborted && !(await allReady(kube))) await pause(lookMs);
  if (!stopping.aborted && relays.length > 0) printer.say("ready");
  printer.begin();
  return { page, ...(trial === undefined ? {} : { trial }), ...(openWay === undefined ? {} : { openWay }) };
}

async function allReady(kube: LocalKube): Promise<boolean> {
  for (const set of await kube.list("StatefulSet")) {
    const pods = await kube.list("Pod", { namespace: set.metadata.namespace, labels: set.spec.selector.matchLabels });
    if (pods.filter((pod) => pod.status.ready).length < set.spec.replicas) return false;
  }
  const relays = await kube.list("MailRelay");
  return relays.every((relay) =>
    relay.status?.conditions?.some(
      (entry) => entry.type === "Programmed" && (entry.status === "True" || entry.reason === "Hibernating"),
    ),
  );
}

async function podsOf(kube: LocalKube, relay: Stored<MailRelay>): Promise<readonly Pod[]> {
  const { namespace, name } = relay.metadata;
  return kube.list("Pod", { namespace, labels: { [relayLabel]: name } });
}

/** Orders and mail from pod to pod take certificates that nobody has. */
function isForPeople(port: ContainerPort): boolean {
  return port.name !== administrationPortName;
}

function rowsOf(relay: Stored<MailRelay>, pods: readonly Pod[]): readonly ListenerRow[] {
  return pods.flatMap((pod) =>
    pod.status.ports.filter(isForPeople).map((port) => {
      const listener = relay.spec.listeners.find((candidate) => candidate.name === port.name);
      return {
        pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
        listener: port.name,
        address: `${pod.status.podIP}:${port.containerPort}`,
        tls: tlsWords[listener?.tlsMode ?? "None"],
        login: loginWords(listener, pod.status.podIP),
      };
    }),
  );
}

/** A user whose password the folder tells, a domain that user may send for, and a listener that takes it. */
async function trialOf(kube: LocalKube, relays: readonly Stored<MailRelay>[]): Promise<Trial | undefined> {
  const domains = await kube.list("SenderDomain");
  for (const relay of relays) {
    const way = await wayIn(kube, relay);
    if (way === undefined) continue;
    for (const domain of domains.filter((candidate) => refersTo(candidate, relay))) {
      const secret = await loginFor(kube, domain);
      if (secret === undefined) continue;
      const username = secretText(secret, "username");
      const password = secretText(secret, "password");
      if (username === undefined || password === undefined) continue;
      const login = { username, password, source: `data key password of ${sourceOf(kube, secret)}` };
      return { ...way, login, from: `hello@${domain.spec.domain}` };
    }
  }
  return undefined;
}

const tlsWords = { StartTLS: "STARTTLS", Implicit: "TLS", None: "no TLS" } as const;

type Listener = MailRelay["spec"]["listeners"][number];

/** The plain port has no listener. */
function loginWords(listener: Listener | undefined, host: string): string {
  if (listener === undefined) return "/metrics /status /healthz /readyz";
  if (listener.clientCertificates === "Required") return "client certificate required";
  if (listener.authentication === "Required") return "login required";
  return isOpenTo(listener, host) ? "no login needed from this machine" : "login optional";
}

function isOpenTo({ authentication, clientCertificates, trustedNetworks }: Listener, host: string): boolean {
  return (
    clientCertificates !== "Required" && authentication === "Optional" && createNetworks(trustedNetworks).has(host)
  );
}

/** A listener that takes mail from this machine without a login, and a domain whose senders that is enough for. */
async function openWayOf(kube: LocalKube, relays: readonly Stored<MailRelay>[]): Promise<OpenWay | undefined> {
  const domains = await kube.list("SenderDomain");
  for (const relay of relays) {
    const pod = (await podsOf(kube, relay))[0];
    const domain = domains.find(
      (candidate) =>
        refersTo(candidate, relay) && candidate.spec.senders.some((sender) => sender.trustedNetworks === true),
    );
    if (pod === undefined || domain === undefined) continue;
    const { podIP: host, ports } = pod.status;
    const listener = relay.spec.listeners.find((each) => each.tlsMode !== "Implicit" && isOpenTo(each, host));
    const port = ports.find(({ name }) => name === listener?.name)?.containerPort;
    if (port !== undefined) return { host, port, from: `hello@${domain.spec.domain}` };
  }
  return undefined;
}

async function wayIn(
  kube: LocalKube,
  relay: Stored<MailRelay>,
): Promise<Pick<Trial, "host" | "port" | "tlsMode"> | undefined> {
  const pod = (await podsOf(kube, relay))[0];
  for (const listener of relay.spec.listeners) {
    const port = pod?.status.ports.find((candidate) => candidate.name === listener.name)?.containerPort;
    if (pod === undefined || port === undefined || listener.tlsMode === "None") continue;
    if (listener.clientCertificates === "Required") continue;
    return { host: pod.status.podIP, port, tlsMode: listener.tlsMode };
  }
  return undefined;
}

async function loginFor(kube: LocalKube, domain: Stored<SenderDomain>): Promise<Secret | undefined> {
  const secrets = await kube.list("Secret", { namespace: domain.metadata.namespace });
  for (const { credentials } of domain.spec.senders) {
    if (credentials === undefined) continue;
    const found = secrets.find(
      (secret) =>
        secret.type === basicAuthType && matchesSelector(credentials.secretSelector, secret.metadata.labels ?? {}),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}
