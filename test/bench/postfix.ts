/**
 * Postfix with OpenDKIM as a contestant: an instance of its own in its own directories, 100 smtpd processes, on-demand
 * connection cache, signing by milter. It logs to nowhere, which costs it less than logging would.
 */
import { connect } from "node:net";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "./ports.ts";
import type { Contestant, ContestantOptions } from "./contestant.ts";
import { createControlGroup } from "./processes.ts";

export async function startPostfix(options: ContestantOptions): Promise<Contestant> {
  const configuration = join(options.directory, "etc");
  const queue = join(options.directory, "queue");
  const data = join(options.directory, "data");
  for (const path of [configuration, queue, data]) await mkdir(path, { recursive: true });
  await chmod(options.directory, 0o755);
  const [uid, gid] = await accountOf("postfix");
  await chown(data, uid, gid);
  const milterPort = await freePort();
  await writeFile(join(configuration, "main.cf"), mainConfiguration({ ...options, queue, data, milterPort }));
  await writeFile(join(configuration, "master.cf"), masterConfiguration(options.port));
  await writeFile(join(options.directory, "s1.pem"), options.privateKey, { mode: 0o600 });
  await writeFile(join(options.directory, "opendkim.conf"), milterConfiguration(options, milterPort));
  const group = await createControlGroup("postfix");
  group.start(["opendkim", "-f", "-x", join(options.directory, "opendkim.conf")]);
  await answered(milterPort);
  group.start(["postfix", "-c", configuration, "start-fg"], { MAIL_CONFIG: configuration });
  await answered(options.port);
  return {
    name: "Postfix + OpenDKIM",
    port: options.port,
    cpuSeconds: () => group.cpuSeconds(),
    stop: () => group.remove(),
  };
}

function mainConfiguration(
  options: ContestantOptions & { readonly queue: string; readonly data: string; readonly milterPort: number },
): string {
  return `compatibility_level = 3.6
queue_directory = ${options.queue}
data_directory = ${options.data}
myhostname = relay.bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:${options.sinkPort}
default_process_limit = 100
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_milters = inet:127.0.0.1:${options.milterPort}
milter_default_action = tempfail
smtp_connection_cache_on_demand = yes
`;
}

function masterConfiguration(port: number): string {
  return `127.0.0.1:${port} inet n - n - 100 smtpd
pickup    unix  n - n 60   1 pickup
cleanup   unix  n - n -    0 cleanup
qmgr      unix  n - n 300  1 qmgr
tlsmgr    unix  - - n 1000 1 tlsmgr
rewrite   unix  - - n -    - trivial-rewrite
bounce    unix  - - n -    0 bounce
defer     unix  - - n -    0 bounce
trace     unix  - - n -    0 bounce
verify    unix  - - n -    1 verify
flush     unix  n - n 1000 0 flush
proxymap  unix  - - n -    - proxymap
proxywrite unix - - n -    1 proxymap
smtp      unix  - - n -    - smtp
relay     unix  - - n -    - smtp
showq     unix  n - n -    - showq
error     unix  - - n -    - error
retry     unix  - - n -    - error
discard   unix  - - n -    - discard
anvil     unix  - - n -    1 anvil
scache    unix  - - n -    1 scache
`;
}

function milterConfiguration(options: ContestantOptions, milterPort: number): string {
  return `Socket inet:${milterPort}@127.0.0.1
Mode s
Domain ${options.domain}
Selector s1
KeyFile ${join(options.directory, "s1.pem")}
RequireSafeKeys no
Canonicalization relaxed/relaxed
InternalHosts 127.0.0.1
Syslog no
`;
}

async function accountOf(name: string): Promise<readonly [number, number]> {
  const line = (await readFile("/etc/passwd", "utf8")).split("\n").find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`no account ${name}: apt-get install postfix`);
  return [Number(uid), Number(gid)];
}

/** Resolves when something accepts connections there; rejects after ten seconds. */
async function answered(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return;
    await delay(100);
  }
  throw new Error(`nothing answers on port ${port}`);
}
