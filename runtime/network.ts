/**
 * Networks as manifests write them (CIDR), and whether a client's address lies in one. An entry that cannot be read
 * trusts nobody: the set only ever gets smaller by a mistake.
 */
import { BlockList, isIP } from "node:net";

export interface Networks {
  has(address: string): boolean;
}

/** RFC 4291 section 2.5.5.2, however it is written: the IPv4 address stands behind zeros and `ffff`, as itself or as two groups. */
const mapped = /^[0:]*:ffff:(?:(\d+\.\d+\.\d+\.\d+)|([\da-f]{1,4}):([\da-f]{1,4}))$/;

/**
 * A dual-stack socket reports an IPv4 client as `::ffff:a.b.c.d`, and a load balancer that has one says so in its header; it is the IPv4
 * client all the same.
 */
export function normalizeAddress(address: string): string {
  const plain = address.toLowerCase();
  const [, dotted, high, low] = mapped.exec(plain) ?? [];
  if (isIP(plain) !== 6) return plain;
  if (high === undefined || low === undefined) return dotted ?? plain;
  const octets = [high, low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
  return octets.join(".");
}

/**
 * What counts as one client: an IPv4 address, or the /64 network of an IPv6 address, of which one machine has them all (RFC 6177
 * section 2).
 */
export function clientOf(address: string): string {
  const plain = normalizeAddress(address.replace(/%.*$/, ""));
  if (isIP(plain) !== 6) return plain;
  const [head = "", tail] = plain.split("::");
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  // An IPv4 address at the end stands for two groups.
  const written = before.length + after.length + (plain.includes(".") ? 1 : 0);
  const groups = [...before, ...Array.from({ length: Math.max(0, 8 - written) }, () => "0"), ...after];
  return `${groups.slice(0, 4).map(shortest).join(":")}::/64`;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

function shortest(group: string): string {
  return group.replace(/^0+(?=.)/, "");
}

export function createNetworks(blocks: readonly string[]): Networks {
  const list = new BlockList();
  for (const block of blocks) addBlock(list, block);
  return {
    has(address) {
      const plain = normalizeAddress(address);
      const family = isIP(plain);
      return family !== 0 && list.check(plain, family === 4 ? "ipv4" : "ipv6");
    },
  };
}

function addBlock(list: BlockList, block: string): void {
  const [written = "", prefix, ...rest] = block.trim().split("/");
  const network = normalizeAddress(written);
  const family = isIP(network);
  if (family === 0 || rest.length > 0) return;
  const longest = family === 4 ? 32 : 128;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return;
  const length = prefix === undefined ? longest : Number(prefix);
  // `::ffff:10.0.0.0/104` is `10.0.0.0/8`: its prefix counts the mapped bits too.
  const own = network === written.toLowerCase() ? length : length - 96;
  if (own < 0 || own > longest) return;
  list.addSubnet(network, own, family === 4 ? "ipv4" : "ipv6");
}

/** Keeps the compiled form of each list of blocks as long as the snapshot that the list belongs to. */
export class NetworkCache {
  readonly #compiled = new WeakMap<readonly string[], Networks>();

  has(blocks: readonly string[], address: string): boolean {
    if (blocks.length === 0) return false;
    const known = this.#compiled.get(blocks);
    if (known !== undefined) return known.has(address);
    const networks = createNetworks(blocks);
    this.#compiled.set(blocks, networks);
    return networks.has(address);
  }
}
