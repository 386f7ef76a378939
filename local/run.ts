/**
 * Local mode: the operator's reconcilers over a folder of manifests, relays as child processes, a mail exchanger that
 * captures. Starts everything in order, and stops it in reverse: relays first, so that what is in flight can end.
 */
import { usualClusterDomain } from "../operator/owned/names.ts";
import { usualPods, type NextHopAddress } from "../operator/installation/installation.ts";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join, resolve } from "node:path";
import type { ParentMessage } from "../api/parentmessage.ts";
import { systemChance, type Timers } from "../runtime/clock.ts";
import { keyOf, type Reference } from "../operator/kube/kube.ts";
import type { Kind } from "../operator/kube/objects.ts";
import { secretText } from "../operator/kube/secret.ts";
import { workBackoff, workPace, WorkQueue } from "../operator/kube/workqueue.ts";
import { createCredentialSource } from "../operator/credentials/source.ts";
import { createIssuerSource } from "../operator/issuers/source.ts";
import { Failing } from "../operator/work/failing.ts";
import type { RelaySources } from "../operator/mailrelay/gather.ts";
import { authoritySecretName } from "../operator/owned/names.ts";
import { reconcileRelay } from "../operator/mailrelay/reconcile.ts";
import { openOrders } from "../operator/pods/giveorder.ts";
import { readReport } from "../operator/pods/reports.ts";
import { usualSecretsRole } from "../operator/installation/rights.ts";
import { RelayMemory } from "../operator/work/memory.ts";
import { reconcileDomain } from "../operator/senderdomain/reconcile.ts";
import { UsageError } from "../runtime/commandline.ts";
import type { LocalSettings } from "./settings.ts";
import { type AddressBook, rewriteBook, relayAddresses } from "./addressbook.ts";
import { affectedBy, type ChangeListener } from "./affected.ts";
import { type CaptureExchanger, startCapture } from "./capture/exchanger.ts";
import { prepareVerdicts } from "./capture/verdict.ts";
import { makeDirectory, writeFileAtomically } from "./files.ts";
import { readFolder, watchFolder } from "./manifests/folder.ts";
import { Kubelet } from "./pods/kubelet.ts";
import { LocalKube } from "./kube.ts";
import { knownLogins } from "./logins.ts";
import { settleManifests } from "./manifests/manifests.ts";
import type { Happening } from "./page/story.ts";
import { happeningOf } from "./page/telling.ts";
import { openPage, type Page } from "./page/watch.ts";
import { openPortBook, type PortBook } from "./pods/ports.ts";
import { Printer } from "./print.ts";
import { forgetRunning, type RunningLocal, takeState, tellRunning } from "./running.ts";
import { loginWords } from "./terminal/loginwords.ts";
import { subjectAs, subjectIn } from "./terminal/subject.ts";
import type { Terminal } from "./terminal/terminal.ts";
import { wordsOf } from "./terminal/trouble.ts";
import { introduce } from "./view.ts";
import { readWaiting, waitingWords } from "./waiting.ts";

/** Namespace of what belongs to no relay. */
const operatorNamespace = "mailboat-system";
const captureHost = "capture.mailboat.localhost";
const captureAddress = "127.0.0.1";
/** The page shows everybody's mail without a login: it is for this machine alone. */
const pageAddress = "127.0.0.1";
/** Taken when it is free: people come to know it. */
const usualPagePort = 8025;
const program = fileURLToPath(new URL("../relay/main.ts", import.meta.url));
/** Of what waits so much is known by name: of the rest the page tells. */
const namedAtStart = 500;
/** A port that a predecessor still holds is waited for this long. */
const portWaitMs = 3000;

export interface LocalRun {
  readonly settings: LocalSettings;
  readonly stopping: AbortSignal;
  readonly terminal: Terminal;
  readonly timers: Timers;
  readonly now: () => number;
  /** Called once mail is taken. */
  readonly onReady?: (running: RunningLocal) => void;
}

/** Resolves when everything has stopped. Throws UsageError and StateInUseError before anything has started. */
export async function runLocal(run: LocalRun): Promise<void> {
  const { settings, stopping, terminal, timers, now } = run;
  const { state, quiet } = settings;
  await requireFolder(settings.manifests);
  await makeDirectory(state);
  const unlock = await takeState(state);
  const printer = new Printer({ terminal, quiet, captureDirectory: join(state, "captured"), now, timers });
  stopping.addEventListener("abort", () => printer.stopping());
  const kube = new LocalKube({ stateDirectory: state, now, onStatus: (change) => printer.status(change) });
  await kube.open();
  const ports = await openPortBook({ file: join(state, "ports.json"), host: settings.host, waitMs: portWaitMs, now });
  const page = await openLocalPage(run, ports, printer);
  const parts = { kube, ports, printer, page, run };
  const capture = await openCapture(parts);
  const addressBook = new Map([[captureHost, { host: captureAddress, port: capture.port }]]);
  const queue = reconcileQueue(sourcesOf({ kube, addressBook, run }), run, printer);
  const kubelet = openKubelet(parts);
  // At once, wherever the start has got to: a relay that Ctrl-C ended must not be started again.
  stopping.addEventListener("abort", () => {
    kubelet.stop().catch((error: unknown) => printer.fail(wordsOf(error, state)));
  });
  kube.onChange(reactions({ kube, queue, kubelet, printer, state }));
  kube.onChange(followPods({ kube, queue, printer, addressBook }));
  await nameWaiting(state, printer);
  const read = folderReader(kube, settings.manifests, printer);
  await read();
  // What an earlier run left is judged anew, whether or not it has changed since.
  for (const kind of ["SenderDomain", "MailRelay"] as const) {
    for (const { metadata } of await kube.list(kind)) queue.add(keyOf({ kind, ...metadata }));
  }
  await queue.settled();
  await kubelet.sync();
  const failRead = (error: unknown): void =>
    printer.fail(`${settings.manifests}: ${wordsOf(error, settings.manifests)}`);
  watchFolder(settings.manifests, () => void read().catch(failRead), stopping);
  // While the relays start, this process has nothing else to do.
  const prepared = prepareVerdicts();
  const running = await introduce({
    kube,
    settings,
    pagePort: page.port,
    printer,
    stopping,
    terminal,
  });
  if (!stopping.aborted) {
    await tellRunning(state, running);
    run.onReady?.(running);
  }
  await prepared;
  await aborted(stopping);
  await forgetRunning(state);
  await queue.stop();
  await kubelet.stop();
  await capture.close();
  await page.close();
  printer.flush();
  unlock();
  await sayEnd(state, printer);
}

async function sayEnd(state: string, printer: Printer): Promise<void> {
  const waiting = await readWaiting(state, 0);
  const words = `stopped; ${waitingWords(waiting)}`;
  if (waiting.unreadable.length > 0) printer.warn(words);
  else printer.say(words);
}

interface Parts {
  readonly kube: LocalKube;
  readonly ports: PortBook;
  readonly printer: Printer;
  readonly page: Page;
  readonly run: LocalRun;
}

async function openLocalPage(run: LocalRun, ports: PortBook, printer: Printer): Promise<Page> {
  const { state, pagePort, keep } = run.settings;
  const wanted = pagePort ?? usualPagePort;
  const choice = await ports.choose({ use: "page", preferred: wanted });
  if (pagePort !== undefined && choice.port !== pagePort)
    printer.warn(`page: port ${pagePort} is not used, ${choice.port} is: another program has it`);
  return openPage({
    stateDirectory: state,
    host: pageAddress,
    port: choice.port,
    keep,
    onPruned: () =>
      printer.say(
        `the newest ${keep} captured messages are kept, older ones are deleted: --keep (KEEP=...) says how many`,
      ),
    now: run.now,
    onError: (error) => printer.fail(`page: ${wordsOf(error, state)}`),
  });
}

/** What an earlier run left waiting: whose mail it is was told to that one. */
async function nameWaiting(state: string, printer: Printer): Promise<void> {
  for (const { spoolId, from, recipients, header } of (await readWaiting(state, namedAtStart)).oldest) {
    const to = recipients.map(({ address }) => address);
    printer.know(spoolId, { from, to, subject: await subjectIn(header) });
  }
}

/** What a relay says beside its log. */
async function tellOf(message: ParentMessage, { kube, printer }: Parts): Promise<void> {
  if (message.kind === "login failed") printer.fail(loginWords(message, await knownLogins(kube)));
  else printer.told(message, await subjectAs(message.subject ?? ""));
}

/** What happened to a message is printed, and shown on the page. */
function tell({ page, printer }: Parts, happening: Happening): void {
  page.take(happening);
  printer.take(happening);
}

async function openCapture(parts: Parts): Promise<CaptureExchanger> {
  const { kube, ports, printer, run } = parts;
  const { port } = await ports.choose({ use: "capture" });
  return startCapture({
    directory: join(run.settings.state, "captured"),
    host: captureAddress,
    port,
    lookup: (name) => kube.txtRecord(name),
    now: run.now,
    onCaptured: (message) => tell(parts, { kind: "captured", message }),
    onAnswered: (answer) => tell(parts, { kind: "answer", answer }),
    onError: (error) => printer.fail(`capture: ${wordsOf(error, run.settings.state)}`),
  });
}

interface SourceParts {
  readonly kube: LocalKube;
  /** Is rewritten when pods get ports. */
  readonly addressBook: AddressBook;
  readonly run: LocalRun;
}

function sourcesOf({ kube, addressBook, run }: SourceParts): RelaySources {
  return {
    kube,
    credentials: createCredentialSource(),
    issuers: createIssuerSource({ kube, now: run.now }),
    readReport,
    // A state directory has one local mode.
    giveOrder: openOrders({ mayOrder: () => true, now: run.now }),
    memory: new RelayMemory(),
    now: run.now,
    installation: {
      image: "mailboat-relay",
      ownImage: "mailboat-relay",
      certificateNames: ["localhost", run.settings.host],
      addressBook,
      podHost: run.settings.host,
      namespace: operatorNamespace,
      serviceAccount: "mailboat-operator",
      secretsRole: usualSecretsRole,
      pods: usualPods,
      className: undefined,
      clusterDomain: usualClusterDomain,
    },
  };
}

function openKubelet(parts: Parts): Kubelet {
  const { kube, ports, printer, run } = parts;
  const { settings, now } = run;
  const kubelet: Kubelet = new Kubelet(kube, {
    stateDirectory: resolve(settings.state),
    program,
    host: settings.host,
    logLevel: settings.logLevel,
    ports,
    now,
    observer: {
      onLine: (pod, fields) => {
        const happening = happeningOf(pod, fields);
        if (happening === undefined) printer.relayLine(pod, fields);
        else tell(parts, happening);
        if (fields["msg"] === "ready" || fields["msg"] === "stopping") kubelet.publish(pod);
      },
      onText: (pod, text) => printer.relayText(pod, text),
      onTold: (_pod, message) => {
        tellOf(message, parts).catch((error: unknown) => printer.fail(String(error)));
      },
      onExit: (pod, exit) => {
        printer.relayExit(pod, exit);
        kubelet.publish(pod);
      },
      onPortTaken: (use, taken, port) =>
        printer.warn(`${use}: port ${taken} is taken by another program, ${port} is used`),
      onLeft: (pod, { directory, isEmpty }) =>
        printer.say(
          isEmpty
            ? `${pod} has left with an empty spool`
            : `${pod} has stopped; what it had not delivered stays in ${directory}/spool`,
        ),
    },
  });
  return kubelet;
}

async function requireFolder(folder: string): Promise<void> {
  const facts = await stat(folder).catch(() => undefined);
  if (facts === undefined)
    throw new UsageError(`there is no folder ${folder}: name one with manifests behind --manifests (MANIFESTS=...)`);
  if (!facts.isDirectory())
    throw new UsageError(`${folder} is not a folder: name the one it lies in behind --manifests (MANIFESTS=...)`);
}

function reconcileQueue(sources: RelaySources, { settings: { state }, timers }: LocalRun, printer: Printer): WorkQueue {
  const { kube, now } = sources;
  const failing = new Failing({
    kube,
    wholeStatus: async ({ kind, namespace, name }) => (await kube.get(kind, namespace, name))?.status,
    timers,
    now,
    onError: (subject, error) => printer.fail(`${keyOf(subject)}: ${wordsOf(error, state)}`),
  });
  return new WorkQueue({
    // One at a time: all documents of a burst of changes are then written before the revision that covers them.
    workers: 1,
    backoff: workBackoff,
    pace: workPace,
    now: () => performance.now(),
    timers,
    chance: systemChance,
    work: (key) => {
      const [, namespace = "", name = ""] = key.split("/");
      const [kind, reconcile] = key.startsWith("MailRelay/")
        ? (["MailRelay", reconcileRelay] as const)
        : (["SenderDomain", reconcileDomain] as const);
      return failing.follow({ kind, namespace, name }, () => reconcile(sources, { namespace, name }));
    },
    // Documents of domains first: the relay's revision then covers them all at once.
    rank: (key) => (key.startsWith("SenderDomain/") ? 0 : 1),
    onError: (key, error) => printer.fail(`${key}: ${wordsOf(error, state)}`),
  });
}

interface Reactions {
  readonly kube: LocalKube;
  readonly queue: WorkQueue;
  readonly kubelet: Kubelet;
  readonly printer: Printer;
  readonly state: string;
}

/** What a change sets going: reconciles of whoever it concerns, and mounts and processes once those have settled. */
function reactions({ kube, queue, kubelet, printer, state }: Reactions): ChangeListener {
  const report = (error: unknown): void => printer.fail(wordsOf(error, state));
  let isSyncDue = false;
  const syncPods = async (): Promise<void> => {
    await queue.settled();
    isSyncDue = false;
    await kubelet.sync();
  };
  const reconcileAffected = async (changed: Reference<Kind>): Promise<void> => {
    const given = { relays: await kube.list("MailRelay"), domains: await kube.list("SenderDomain") };
    for (const key of affectedBy(changed, given)) queue.add(key);
  };
  return (changed, owner) => {
    if (owner !== undefined) queue.add(keyOf(owner));
    else reconcileAffected(changed).catch(report);
    if (changed.name === authoritySecretName) writeAuthority(kube, state).catch(report);
    if ((changed.kind !== "StatefulSet" && changed.kind !== "Secret") || isSyncDue) return;
    isSyncDue = true;
    syncPods().catch(report);
  };
}

interface BookReaction extends Pick<Reactions, "kube" | "queue" | "printer"> {
  readonly addressBook: Map<string, NextHopAddress>;
}

/** A relay whose next hop is another relay's Service learns where that one listens. */
function followPods({ kube, queue, printer, addressBook }: BookReaction): ChangeListener {
  const capture = new Map(addressBook);
  const rewrite = async (): Promise<void> => {
    const relays = await kube.list("MailRelay");
    const services = relayAddresses(relays, await kube.list("Pod"));
    if (!rewriteBook(addressBook, new Map([...capture, ...services]))) return;
    for (const { metadata } of relays) queue.add(keyOf({ kind: "MailRelay", ...metadata }));
  };
  return (changed) => {
    if (changed.kind === "Pod" || changed.kind === "MailRelay")
      rewrite().catch((error: unknown) => printer.fail(String(error)));
  };
}

/** Clients that want to check our certificates need this file. */
async function writeAuthority(kube: LocalKube, state: string): Promise<void> {
  const certificate = secretText(await kube.get("Secret", operatorNamespace, authoritySecretName), "ca.crt");
  if (certificate !== undefined) await writeFileAtomically(join(state, "ca.crt"), certificate);
}

/** Reads of the folder happen one after the other, so that the newest one has the last word. */
function folderReader(kube: LocalKube, folder: string, printer: Printer): () => Promise<void> {
  let turn = Promise.resolve();
  const take = async (): Promise<void> => {
    const { inForce, problems } = settleManifests(kube.given, await readFolder(folder));
    printer.problems(problems);
    await kube.setGiven(inForce);
  };
  return () => {
    const mine = turn.then(take);
    // A failed read is its caller's to report and must not stop the next one.
    turn = mine.catch(() => undefined);
    return mine;
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => signal.addEventListener("abort", () => done(), { once: true }));
}
