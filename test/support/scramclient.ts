/** The client's side of SCRAM-SHA-256 (RFC 5802 section 3), written from the RFC: what it says, and whether it believes the server. */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

export interface ScramWish {
  readonly username: string;
  readonly password: string;
  /** The GS2 header; `n,,` when absent. */
  readonly header?: string;
  /** What the channel is called. */
  readonly channel?: Buffer;
  readonly nonce?: string;
}

export class ScramClient {
  readonly #wish: ScramWish;
  readonly nonce: string;
  readonly #bare: string;
  #signature = "";

  constructor(wish: ScramWish) {
    this.#wish = wish;
    const name = wish.username.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.nonce = wish.nonce ?? "rOprNGfwEbeRWgbNEkqO";
    this.#bare = `n=${name},r=${this.nonce}`;
  }

  first(): string {
    return `${this.#header}${this.#bare}`;
  }

  /** What answers the server's first message. */
  final(challenge: string): string {
    const [, nonce = "", salt = "", iterations = ""] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(challenge) ?? [];
    const salted = pbkdf2Sync(this.#wish.password, Buffer.from(salt, "base64"), Number(iterations), 32, "sha256");
    const key = (name: string): Buffer => createHmac("sha256", salted).update(name).digest();
    const clientKey = key("Client Key");
    const binding = Buffer.concat([Buffer.from(this.#header), this.#wish.channel ?? Buffer.alloc(0)]);
    const unproven = `c=${binding.toString("base64")},r=${nonce}`;
    const said = `${this.#bare},${challenge},${unproven}`;
    const signature = createHmac("sha256", createHash("sha256").update(clientKey).digest()).update(said).digest();
    this.#signature = createHmac("sha256", key("Server Key")).update(said).digest("base64");
    const proof = clientKey.map((octet, index) => octet ^ (signature[index] ?? 0));
    return `${unproven},p=${Buffer.from(proof).toString("base64")}`;
  }

  /** Whether the server's last message is that of one who knows the password. */
  believes(last: string): boolean {
    return last === `v=${this.#signature}`;
  }

  get #header(): string {
    return this.#wish.header ?? "n,,";
  }
}
