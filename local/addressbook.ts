/**
 * The cluster DNS of local mode: names of Services, which here lead to the port that the pod behind them was given. Pure.
 */
import { relayLabel } from "../api/labels.ts";
import type { MailRelay } from "../api/mailrelay.ts";
import type { Pod, Stored } from "../operator/kube/objects.ts";
import { clientNames, usualClusterDomain } from "../operator/owned/names.ts";
import type { NextHopAddress } from "../operator/installation/installation.ts";

export type AddressBook = ReadonlyMap<string, NextHopAddress>;

/** `<relay>.<namespace>.svc:<port>` for every listener of every relay that has a pod: a ready one if there is one. */
export function relayAddresses(relays: readonly Stored<MailRelay>[], pods: readonly Pod[]): AddressBook {
  const book = new Map<string, NextHopAddress>();
  for (const relay of relays) {
    const { name, namespace } = relay.metadata;
    const own = pods.filter(
      (pod) => pod.metadata.namespace === namespace && pod.metadata.labels?.[relayLabel] === name,
    );
    const pod = own.find((candidate) => candidate.status.ready) ?? own[0];
    for (const listener of relay.spec.listeners) {
      const port = pod?.status.ports.find((candidate) => candidate.name === listener.name)?.containerPort;
      if (pod === undefined || port === undefined) continue;
      for (const host of clientNames({ name, namespace }, usualClusterDomain)) {
        book.set(`${host}:${listener.port}`, { host: pod.status.podIP, port });
      }
    }
  }
  return book;
}

/** Makes one book say what the other says; true when that was a change. */
export function rewriteBook(book: Map<string, NextHopAddress>, next: AddressBook): boolean {
  const text = (one: AddressBook): string => JSON.stringify([...one].toSorted(([a], [b]) => a.localeCompare(b)));
  if (text(book) === text(next)) return false;
  book.clear();
  for (const [name, address] of next) book.set(name, address);
  return true;
}
