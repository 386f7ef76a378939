/**
 * Content of the Secrets that were made for relays, read together: a new operator knows none of it and needs all, and ten
 * thousand single requests take minutes. Once for each namespace, in pages; what changes later is read by itself.
 */
import { relayLabel } from "../../../../api/labels.ts";
import type { Client } from "../../client/client.ts";
import type { RawObject } from "../../client/resource.ts";
import { Slots } from "../../client/slots.ts";
import { secretResource } from "../resources.ts";

export interface LabelledSettings {
  readonly client: Client;
  /** Told of each, whole. */
  readonly onRead: (raw: RawObject) => void;
}

/** A shard may have a MiB: a page must not be what fills the memory. */
const pageSize = 20;
/** Namespaces at the same time. */
const concurrency = 4;

export class LabelledSecrets {
  readonly #settings: LabelledSettings;
  readonly #slots = new Slots(concurrency);
  readonly #reads = new Map<string, Promise<void>>();

  constructor(settings: LabelledSettings) {
    this.#settings = settings;
  }

  /**
   * Resolves when those of the namespace have been read once. Rejects with what the client says, and then the next call
   * tries again.
   */
  async read(namespace: string): Promise<void> {
    const known = this.#reads.get(namespace);
    if (known !== undefined) return known;
    const read = this.#slots.run(() => this.#read(namespace));
    this.#reads.set(namespace, read);
    read.catch(() => {
      if (this.#reads.get(namespace) === read) this.#reads.delete(namespace);
    });
    return read;
  }

  /** It is read anew when somebody asks again. */
  forget(namespace: string): void {
    this.#reads.delete(namespace);
  }

  async #read(namespace: string): Promise<void> {
    const { client, onRead } = this.#settings;
    const { apiVersion, kind } = secretResource;
    let continueToken: string | undefined;
    do {
      const page = await client.list(
        secretResource,
        { namespace, labelSelector: relayLabel },
        { limit: pageSize, ...(continueToken === undefined ? {} : { continueToken }) },
      );
      // Items of a list carry no kind of their own.
      for (const raw of page.items) onRead({ ...raw, apiVersion, kind });
      ({ continueToken } = page);
    } while (continueToken !== undefined);
  }
}
