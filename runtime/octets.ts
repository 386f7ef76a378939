/**
 * Octets that came in pieces, kept in as much memory as they have. Each piece of a socket costs some four hundred octets beside
 * its own, and a client decides how small they are: small ones are copied together. The first is kept as it came, because most messages
 * come in one.
 */
const roomAtOnce = 4096;

export class Octets {
  #pieces: Buffer[] = [];
  /** The last of them, with room behind what is in it. */
  #room: Buffer = Buffer.alloc(0);
  #inRoom = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#length += piece.length;
    if (piece.length >= roomAtOnce || this.#pieces.length === 0) {
      this.#close();
      this.#pieces.push(piece);
      return;
    }
    const fits = piece.copy(this.#room, this.#inRoom);
    this.#inRoom += fits;
    if (fits === piece.length) return;
    this.#close();
    this.#room = Buffer.allocUnsafeSlow(roomAtOnce);
    this.#inRoom = piece.copy(this.#room, 0, fits);
  }

  /** All of it; nothing is left here. */
  take(): Buffer {
    this.#close();
    const [only] = this.#pieces;
    const all = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.clear();
    return all;
  }

  clear(): void {
    this.#pieces = [];
    this.#room = Buffer.alloc(0);
    this.#inRoom = 0;
    this.#length = 0;
  }

  #close(): void {
    if (this.#inRoom > 0) this.#pieces.push(this.#room.subarray(0, this.#inRoom));
    this.#room = Buffer.alloc(0);
    this.#inRoom = 0;
  }
}
