/** What a relay in the bench is: started with the same domain, key and sink, measured by the same ruler. */
export interface Contestant {
  readonly name: string;
  readonly port: number;
  cpuSeconds(): Promise<number>;
  stop(): Promise<void>;
}

export interface ContestantOptions {
  /** A fresh directory for its configuration and queue. */
  readonly directory: string;
  readonly port: number;
  readonly sinkPort: number;
  readonly domain: string;
  /** RSA-2048, PKCS#8 PEM. */
  readonly privateKey: string;
  /** Mailboat only: where traces go, and the share of messages that is traced. */
  readonly tracing?: { readonly endpoint: string; readonly samplingRatio: number };
}
