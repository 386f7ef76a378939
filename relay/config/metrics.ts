/** What the relay runs with: revision, keys, certificate. Read at each scrape from the snapshot in force. */
import type { MetricsRegistry } from "../../runtime/metrics.ts";
import type { DomainSettings, SnapshotSource } from "./snapshot.ts";

export interface ConfigurationMetrics {
  configurationLoaded(result: "success" | "failure"): void;
}

/** `source` is undefined until the first configuration is loaded. */
export function configurationMetrics(
  registry: MetricsRegistry,
  source: () => SnapshotSource | undefined,
): ConfigurationMetrics {
  const loads = registry.counter({
    name: "mailboat_configuration_loads",
    help: "Configurations read, by result",
    labelNames: ["result"],
  });
  registry.onScrape(gauges(registry, source));
  return { configurationLoaded: (result) => loads.inc({ result }) };
}

function gauges(registry: MetricsRegistry, source: () => SnapshotSource | undefined): () => void {
  const stale = registry.gauge({
    name: "mailboat_configuration_stale",
    help: "1 when the newest configuration on disk cannot be used and an older one is in force",
  });
  const domains = registry.gauge({
    name: "mailboat_configuration_sender_domains",
    help: "Sender domains in the configuration, by whether they have a usable DKIM key",
    labelNames: ["dkim"],
  });
  const keys = registry.gauge({
    name: "mailboat_configuration_dkim_keys",
    help: "Usable DKIM keys by algorithm",
    labelNames: ["algorithm"],
  });
  const notAfter = registry.gauge({
    name: "mailboat_tls_certificate_not_after_timestamp_seconds",
    help: "When the certificate that listeners serve ends; absent without a certificate",
    labelNames: ["fingerprint"],
  });
  const peerNotAfter = registry.gauge({
    name: "mailboat_administration_certificate_not_after_timestamp_seconds",
    help: "When the certificate that peers and the operator see ends; absent without one",
    labelNames: ["fingerprint"],
  });
  const info = registry.gauge({
    name: "mailboat_configuration_info",
    help: "1 for the revision of the configuration in force",
    labelNames: ["revision"],
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
    const counts = countKeys(configured.values());
    domains.set({ dkim: "usable" }, counts.signed);
    domains.set({ dkim: "none" }, counts.unsigned);
    for (const algorithm of ["rsa-sha256", "ed25519-sha256"] as const) keys.set({ algorithm }, counts[algorithm]);
  };
}

function countKeys(configured: Iterable<DomainSettings>): {
  readonly signed: number;
  readonly unsigned: number;
  readonly "rsa-sha256": number;
  readonly "ed25519-sha256": number;
} {
  const counts = { signed: 0, unsigned: 0, "rsa-sha256": 0, "ed25519-sha256": 0 };
  for (const domain of configured) {
    counts[domain.keys.length > 0 ? "signed" : "unsigned"] += 1;
    for (const { algorithm } of domain.keys) counts[algorithm] += 1;
  }
  return counts;
}
