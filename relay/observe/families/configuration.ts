/** What the relay runs with: revision, keys, certificate. Read at each scrape from the snapshot in force. */
import { Counter, Gauge } from "prom-client";
import type { SnapshotSource } from "../../config/snapshot.ts";
import type { OpenMetricsRegistry } from "./family.ts";

export interface ConfigurationMetrics {
  configurationLoaded(result: "success" | "failure"): void;
  /** Reads the snapshot in force. */
  refresh(): void;
}

/** `source` is undefined until the first configuration is loaded. */
export function configurationMetrics(
  registry: OpenMetricsRegistry,
  source: () => SnapshotSource | undefined,
): ConfigurationMetrics {
  const registers = [registry];
  const loads = new Counter({
    name: "mailboat_configuration_loads",
    help: "Configurations read, by result",
    labelNames: ["result"],
    registers,
  });
  return { refresh: gauges(registry, source), configurationLoaded: (result) => loads.inc({ result }) };
}

function gauges(
  registry: OpenMetricsRegistry,
  source: () => SnapshotSource | undefined,
): ConfigurationMetrics["refresh"] {
  const registers = [registry];
  const stale = new Gauge({
    name: "mailboat_configuration_stale",
    help: "1 when the newest configuration on disk cannot be used and an older one is in force",
    registers,
  });
  const domains = new Gauge({
    name: "mailboat_configuration_sender_domains",
    help: "Sender domains in the configuration, by whether they have a usable DKIM key",
    labelNames: ["dkim"],
    registers,
  });
  const keys = new Gauge({
    name: "mailboat_configuration_dkim_keys",
    help: "Usable DKIM keys by algorithm",
    labelNames: ["algorithm"],
    registers,
  });
  const notAfter = new Gauge({
    name: "mailboat_tls_certificate_not_after_timestamp_seconds",
    help: "When the certificate that listeners serve ends; absent without a certificate",
    labelNames: ["fingerprint"],
    registers,
  });
  const peerNotAfter = new Gauge({
    name: "mailboat_administration_certificate_not_after_timestamp_seconds",
    help: "When the certificate that peers and the operator see ends; absent without one",
    labelNames: ["fingerprint"],
    registers,
  });
  const info = new Gauge({
    name: "mailboat_configuration_info",
    help: "1 for the revision of the configuration in force",
    labelNames: ["revision"],
    registers,
  });
  return () => {
    const snapshots = source();
    if (snapshots === undefined) return;
    const { revision, certificate, peer, domains: configured } = snapshots.current();
    info.reset();
    info.set({ revision: revision ?? "" }, 1);
    stale.set(snapshots.lastError === undefined ? 0 : 1);
    notAfter.reset();
    if (certificate !== undefined) notAfter.set({ fingerprint: certificate.fingerprint }, certificate.notAfter / 1000);
    peerNotAfter.reset();
    if (peer !== undefined) peerNotAfter.set({ fingerprint: peer.fingerprint }, peer.notAfter / 1000);
    countKeys(configured.values(), domains, keys);
  };
}

type Configured =
  ReturnType<SnapshotSource["current"]>["domains"] extends ReadonlyMap<string, infer Domain> ? Iterable<Domain> : never;

function countKeys(configured: Configured, domains: Gauge, keys: Gauge): void {
  const counts = { signed: 0, unsigned: 0, "rsa-sha256": 0, "ed25519-sha256": 0 };
  for (const domain of configured) {
    counts[domain.keys.length > 0 ? "signed" : "unsigned"] += 1;
    for (const { algorithm } of domain.keys) counts[algorithm] += 1;
  }
  domains.set({ dkim: "usable" }, counts.signed);
  domains.set({ dkim: "none" }, counts.unsigned);
  keys.set({ algorithm: "rsa-sha256" }, counts["rsa-sha256"]);
  keys.set({ algorithm: "ed25519-sha256" }, counts["ed25519-sha256"]);
}
