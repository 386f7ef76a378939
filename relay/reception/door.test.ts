/** Who is turned away before anything is said: a loud stranger, and nobody who has logged in, whatever it was refused. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { credentialOf, makeCertificate, openBed, type Bed } from "../../test/support/submission.ts";
import { until } from "../../test/support/until.ts";
import { podLimits, type Limits } from "../limits/limits.ts";

/** Time stands still: who is loud stays so. */
const clock = { now: () => 0 };
/** More than a client may cause at once. */
const much = 60;

/** At this door every connection comes too early. */
async function bedWith(t: TestContext, clients: Limits["clients"] = podLimits(clock).clients): Promise<Bed> {
  const newcomers: Limits["newcomers"] = { isInTime: () => false };
  const bed = await openBed(
    {
      listeners: [{ name: "submissions", tlsMode: "Implicit", authentication: "Required" }],
      credentials: [credentialOf("shop", "shop/mail")],
      domains: { "example.com": { identities: ["shop/mail"] } },
      certificate: await makeCertificate(),
    },
    { clock, limits: { ...podLimits(clock), clients, newcomers } },
  );
  t.after(() => bed.close());
  return bed;
}

/** Logs in from that address, is refused often because the spool is full, and goes. */
async function refusedOften(bed: Bed, from: string): Promise<void> {
  const client = await bed.connect("submissions", { from });
  await client.reply();
  await client.command("EHLO client.example");
  assert.match(await client.login("shop"), /^235 /);
  bed.spool.full = true;
  for (let count = 0; count < much; count += 1)
    assert.match(await client.command("MAIL FROM:<a@example.com>"), /^452 4\.3\.1 /);
  client.destroy();
}

/** Comes and goes without a login, until it is loud. */
async function comeAndGo(bed: Bed, from: string): Promise<void> {
  for (let count = 0; count < much; count += 1) {
    const client = await bed.connect("submissions", { from });
    await client.reply().catch(() => undefined);
    client.destroy();
  }
  await until("all to be gone", () => bed.connections() === 0);
}

async function greeting(bed: Bed, from: string): Promise<string> {
  const client = await bed.connect("submissions", { from });
  return client.reply().catch(() => "turned away");
}

test("what a client is refused that has logged in makes nobody loud", async (t) => {
  const { clients } = podLimits(clock);
  // Whether it is remembered is another question.
  const bed = await bedWith(t, { enter: (...all) => clients.enter(...all), isKnown: () => false });
  await refusedOften(bed, "127.0.0.7");
  await until("it to be gone", () => bed.connections() === 0);
  assert.match(await greeting(bed, "127.0.0.7"), /^220 /);
});

test("a loud stranger is turned away, and who logged in at such an address is not", async (t) => {
  const bed = await bedWith(t);
  await refusedOften(bed, "127.0.0.7");
  for (const from of ["127.0.0.7", "127.0.0.8"]) await comeAndGo(bed, from);
  assert.equal(await greeting(bed, "127.0.0.8"), "turned away");
  assert.match(await greeting(bed, "127.0.0.7"), /^220 /);
});
