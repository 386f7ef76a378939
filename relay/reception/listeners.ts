/**
 * The listeners of the current snapshot, and their sessions' end.
 *
 * A listener is its name, port and TLS mode: while these stay, a new configuration touches no connection, and everything else
 * about it is read at each decision. A listener that is gone stops listening and its sessions finish. An implicit TLS
 * listener waits for a certificate. At the start a port that cannot be had is an error; later it is logged and tried again
 * with the next configuration.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { ListenerDocument } from "../../api/relayconfig.ts";
import { hostToBind } from "../../runtime/everywhere.ts";
import type { Chance, Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Gate } from "../administration/gate.ts";
import type { ClientAuthorities, Snapshot, SnapshotSource } from "../config/snapshot.ts";
import { noHopTracer, type HopTracer } from "../observe/hop.ts";
import type { Journal } from "../observe/journal.ts";
import type { Parent } from "../observe/parent.ts";
import type { ReceptionMetrics } from "./metrics.ts";
import type { ReceivingSpool } from "../spool/start.ts";
import { createPasswordCheck } from "./identity/passwords.ts";
import { createTokenCheck } from "./identity/tokens/tokens.ts";
import { UnknownKeys } from "./identity/tokens/unknownkeys.ts";
import { LoginUses } from "./identity/uses.ts";
import { ClientLog } from "./clientlog.ts";
import type { MailConnection } from "../smtp/server/connection.ts";
import type { Limits } from "../limits/limits.ts";
import { HeaderRoom } from "./accept/headerroom.ts";
import { clientOf, NetworkCache } from "../../runtime/network.ts";
import { usualPatience, type Patience } from "../smtp/server/patience.ts";
import { MailServer } from "../smtp/server/server.ts";
import type { Checks } from "./checks/check.ts";
import type { SessionParts } from "./parts.ts";
import { ReceptionSession } from "./session.ts";

export interface ReceptionOptions {
  readonly snapshots: SnapshotSource;
  readonly spool: ReceivingSpool;
  readonly log: Log;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly limits: Pick<Limits, "clients" | "newcomers" | "logins" | "quotas">;
  readonly metrics: ReceptionMetrics;
  readonly journal: Journal;
  /** Who started this process and wants to know whose mail passes; a pod has nobody. */
  readonly parent?: Parent | undefined;
  /** Nothing is traced when absent. */
  readonly hops?: HopTracer;
  readonly gate: Gate;
  /** Nobody asks for them when absent. */
  readonly uses?: LoginUses | undefined;
  /** What the report says of tokens; nobody asks when absent. */
  readonly unknownKeys?: UnknownKeys;
  /** Who is asked beside the rules of the house, as of now. */
  readonly checks: () => Checks;
  readonly listenHost: string;
  /** Listener name to the port that replaces the configured one; 0 lets the system choose. */
  readonly ports: ReadonlyMap<string, number>;
  /** The usual when absent. */
  readonly patience?: Patience;
}

export interface Reception {
  /** Listener name to bound port. */
  readonly addresses: ReadonlyMap<string, number>;
  /** Resolves when every session has ended or the deadline has passed, whichever is first. */
  close(deadlineMs: number): Promise<void>;
}

/** What the library adds to an error. */
interface FailedConnection extends Error {
  readonly remoteAddress?: string;
  readonly meta?: { readonly remoteAddress?: string };
}

interface OpenListener {
  readonly document: ListenerDocument;
  readonly server: MailServer;
  fingerprint: string | undefined;
  /** Whose certificates clients are asked for. */
  clientAuthorities: ClientAuthorities | undefined;
}

/**
 * Connections that the system has made and we have not taken yet. Clients that all come at once, as when a relay is back, would get no
 * greeting beyond it for as long as the system tries again; it takes no more than `net.core.somaxconn` (4096).
 */
const backlog = 4096;
/** How long a client that was told 421 may take to read it. */
const goodbyeMs = 500;
/**
 * How long a client inside DATA may go on when mail is no longer taken; RFC 5321 section 4.5.3.2 gives a client no more for any
 * part of it. One that sends an octet now and then must not hold up a pod that leaves.
 */
const lastDataMs = 600_000;

/** Rejects when a listener of the first snapshot cannot be opened. */
export async function openReception(options: ReceptionOptions): Promise<Reception> {
  const listeners = new Listeners(options);
  try {
    await listeners.follow(options.snapshots.current());
  } catch (error) {
    await listeners.close(0);
    throw error;
  }
  options.snapshots.onChange((snapshot) => listeners.changed(snapshot));
  options.gate.onTurn((isOpen) => (isOpen ? listeners.stay() : listeners.leave()));
  return { addresses: listeners.addresses, close: (deadlineMs) => listeners.close(deadlineMs) };
}

class Listeners {
  readonly addresses = new Map<string, number>();
  readonly #options: ReceptionOptions;
  readonly #parts: SessionParts;
  readonly #open = new Map<string, OpenListener>();
  /** Gone from the configuration, with sessions that still run. */
  readonly #retired = new Set<MailServer>();
  #following: Promise<void> = Promise.resolve();
  #cut: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    const { snapshots, spool, log, clock, chance, metrics, journal } = options;
    this.#parts = {
      snapshots,
      spool,
      log,
      clientLog: new ClientLog(log, clock),
      clock,
      chance,
      metrics,
      journal,
      parent: options.parent,
      hops: options.hops ?? noHopTracer,
      passwords: createPasswordCheck(),
      uses: options.uses ?? new LoginUses(),
      tokens: createTokenCheck({ now: () => clock.now(), unknownKeys: options.unknownKeys ?? new UnknownKeys() }),
      limits: options.limits,
      patience: options.patience ?? usualPatience,
      gate: options.gate,
      networks: new NetworkCache(),
      headerRoom: new HeaderRoom(),
      checks: options.checks,
    };
  }

  /** One snapshot after the other, the newest last. */
  changed(snapshot: Snapshot): void {
    this.#following = this.#following
      .then(() => (this.#closing ? undefined : this.follow(snapshot)))
      .catch((error: unknown) => {
        this.#options.log.error({ error: String(error) }, "could not open every listener");
      });
  }

  /** Closes what is gone, then opens what is new. Every listener is tried before the first failure is reported. */
  async follow(snapshot: Snapshot): Promise<void> {
    const wanted = new Map(snapshot.relay.listeners.map((listener) => [listener.name, listener]));
    for (const [name, open] of this.#open) {
      const document = wanted.get(name);
      if (document === undefined || !isSameListener(document, open.document)) this.#retire(name, open);
      else this.#renew(open, document, snapshot);
    }
    const failures: unknown[] = [];
    for (const document of wanted.values()) {
      if (this.#open.has(document.name)) continue;
      await this.#openListener(document, snapshot).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  #renew(open: OpenListener, document: ListenerDocument, { certificate, clientAuthorities }: Snapshot): void {
    if (certificate === undefined) return;
    const authorities = document.clientCertificates === undefined ? undefined : clientAuthorities;
    const isOther = certificate.fingerprint !== open.fingerprint;
    const areOthers = authorities !== open.clientAuthorities;
    if (!isOther && !areOthers) return;
    open.server.setCertificate(certificate, authorities?.pem);
    open.fingerprint = certificate.fingerprint;
    open.clientAuthorities = authorities;
    const { log } = this.#options;
    const listener = document.name;
    if (isOther) log.info({ listener, fingerprint: certificate.fingerprint }, "certificate in use");
    if (areOthers)
      log.info({ listener, authorities: authorities?.certificates.length ?? 0 }, "client authorities in use");
  }

  async #openListener(document: ListenerDocument, snapshot: Snapshot): Promise<void> {
    const { log, listenHost, ports } = this.#options;
    if (snapshot.certificate === undefined && document.tlsMode !== "None") {
      log.warn({ listener: document.name, tlsMode: document.tlsMode }, "listener has no certificate");
      if (document.tlsMode === "Implicit") return;
    }
    const server = this.#createServer(document);
    const open: OpenListener = { document, server, fingerprint: undefined, clientAuthorities: undefined };
    this.#renew(open, document, snapshot);
    const listening = once(server.server, "listening");
    server.listen({ ...hostToBind(listenHost), port: ports.get(document.name) ?? document.port, backlog });
    await listening;
    const port = boundPort(server.server.address());
    this.#open.set(document.name, open);
    this.addresses.set(document.name, port);
    log.info({ listener: document.name, port }, "listening");
  }

  #createServer(document: ListenerDocument): MailServer {
    const { snapshots, patience = usualPatience } = this.#options;
    const now = (): ListenerDocument =>
      snapshots.current().relay.listeners.find((each) => each.name === document.name) ?? document;
    const proxies = (): readonly string[] => now().proxyProtocol?.trustedNetworks ?? [];
    const server = new MailServer({
      implicitTls: document.tlsMode === "Implicit",
      patience,
      maxConnections: () => snapshots.current().relay.limits.connections,
      rulesFor: (client) => new ReceptionSession(this.#parts, document, client),
      expectsProxies: () => proxies().length > 0,
      isProxy: (peerAddress) => this.#parts.networks.has(proxies(), peerAddress),
      isShutFor: (peerAddress) => this.#isShutFor(now(), peerAddress),
    });
    // Broken connections and failed handshakes: the client's affair, and an event without listener would end the process.
    server.on("error", (error: Error) => this.#failed(document.name, error));
    return server;
  }

  /** A load balancer's connections are those of many clients, and who logs in may have a loud neighbour behind the same address. */
  #isShutFor({ name, trustedNetworks, proxyProtocol }: ListenerDocument, peerAddress: string): boolean {
    const { clientLog, networks } = this.#parts;
    const { clients, newcomers } = this.#options.limits;
    const client = clientOf(peerAddress);
    if (newcomers.isInTime(client) || clients.isKnown(client)) return false;
    const spared = [trustedNetworks, proxyProtocol?.trustedNetworks ?? []];
    if (spared.some((blocks) => networks.has(blocks, peerAddress))) return false;
    // To come too fast is trouble, too: otherwise a storm is let in again in each moment in which it seems quiet.
    if (clientLog.disturbed(client) === "within its rate") return false;
    this.#options.metrics.turnedAway(name);
    return true;
  }

  #failed(listener: string, error: FailedConnection): void {
    const client = clientOf(error.remoteAddress ?? error.meta?.remoteAddress ?? "");
    this.#parts.clientLog.debug(client, { listener, error: error.message }, "connection failed");
  }

  #retire(name: string, open: OpenListener): void {
    this.#open.delete(name);
    this.addresses.delete(name);
    this.#retired.add(open.server);
    open.server.server.close(() => this.#retired.delete(open.server));
    this.#options.log.info({ listener: name }, "listener closed");
  }

  get #servers(): readonly MailServer[] {
    return [...this.#retired, ...[...this.#open.values()].map((open) => open.server)];
  }

  get #connections(): readonly MailConnection[] {
    return this.#servers.flatMap((server) => [...server.open]);
  }

  /** Listeners stay open: new clients hear 421 for a greeting, which sends them elsewhere sooner than a refused connection. */
  leave(): void {
    for (const connection of this.#connections) connection.end.leave();
    this.#cut = setTimeout(() => {
      for (const connection of this.#connections) if (connection.receiving) connection.destroy();
    }, lastDataMs);
    this.#cut.unref();
  }

  stay(): void {
    clearTimeout(this.#cut);
    for (const connection of this.#connections) connection.end.stay();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#cut);
    await this.#following;
    await Promise.all(this.#servers.map((server) => closeServer(server, deadlineMs)));
    this.#parts.clientLog.close();
  }
}

function isSameListener(one: ListenerDocument, other: ListenerDocument): boolean {
  return one.port === other.port && one.tlsMode === other.tlsMode;
}

function boundPort(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("a listener has no port");
  return address.port;
}

/**
 * Idle sessions hear 421 at once, those inside DATA after their reply; what remains at the deadline is cut, which loses
 * nothing: a message without its 250 is the client's to send again.
 */
async function closeServer(server: MailServer, deadlineMs: number): Promise<void> {
  const closed = Promise.withResolvers<void>();
  server.server.close(() => closed.resolve());
  for (const socket of server._pendingSockets.values()) socket.destroy();
  for (const connection of server.open) connection.end.leave();
  const controller = new AbortController();
  const pause = async (ms: number): Promise<void> => {
    await delay(ms, undefined, { signal: controller.signal }).catch(() => undefined);
  };
  const idleCut = pause(Math.min(goodbyeMs, deadlineMs)).then(() => {
    for (const connection of server.open) if (!connection.receiving) connection.destroy();
  });
  const end = pause(deadlineMs).then(() => {
    for (const connection of server.open) connection.destroy();
  });
  await Promise.race([closed.promise, end]);
  controller.abort();
  await Promise.all([idleCut, end, closed.promise]);
}
