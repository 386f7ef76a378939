/** Which name servers are asked: those of the configuration, else those of the machine (resolv.conf(5)). */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

export interface NameServer {
  readonly address: string;
  readonly port: number;
}

const dnsPort = 53;
/** resolv.conf(5), MAXNS. */
const serverLimit = 3;

/** Reads `address`, `address:port` or `[v6]:port`; undefined when it is none of them. */
export function parseServer(text: string): NameServer | undefined {
  const [, v4, v6, port] = /^(?:([0-9.]+)|\[([0-9a-f:.]+)\]):([0-9]{1,5})$/i.exec(text) ?? [];
  const server = { address: v4 ?? v6 ?? text, port: port === undefined ? dnsPort : Number(port) };
  return isIP(server.address) !== 0 && server.port > 0 && server.port < 65_536 ? server : undefined;
}

/** The `nameserver` lines, as the C library takes them. */
export function serversOf(resolvConf: string): readonly NameServer[] {
  const lines = resolvConf.split("\n").map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1]);
  return lines.flatMap((address) => (address === undefined ? [] : (parseServer(address) ?? []))).slice(0, serverLimit);
}

/** Without a readable file or a server in it, the one on this machine is asked, as the C library does. */
export async function systemServers(path = "/etc/resolv.conf"): Promise<readonly NameServer[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const servers = serversOf(text);
  return servers.length > 0 ? servers : [{ address: "127.0.0.1", port: dnsPort }];
}
