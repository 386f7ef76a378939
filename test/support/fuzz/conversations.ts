/** What one client says from its first octet to its last, as steps. */
import fc from "fast-check";
import { command, type Command, envelope } from "./commands.ts";
import { content, type Content } from "./contents.ts";
import { login, type Login } from "./saslexchanges.ts";
import { proxyOpening, type ProxyOpening } from "./proxyheaders.ts";
import { pick } from "./wish.ts";

export type Step =
  /** All in one write; the end of a line is CRLF, or the line feed alone. */
  | { readonly kind: "lines"; readonly commands: readonly (Command & { readonly endsBare: boolean })[] }
  | { readonly kind: "login"; readonly login: Login }
  | { readonly kind: "startTls" }
  | { readonly kind: "message"; readonly content: Content };

export type Ending =
  | { readonly kind: "quit" | "reset" | "halfClosed" }
  /** Within a message, after so many octets of it, its end not among them. */
  | {
      readonly kind: "inMessage";
      readonly before: Step;
      readonly content: Content;
      readonly octets: number;
      readonly isReset: boolean;
    }
  /** Gone before the reply to a whole message. */
  | { readonly kind: "deaf"; readonly before: Step; readonly content: Content };

export type ListenerName = "submission" | "submissions" | "smtp" | "balanced";

export interface Conversation {
  readonly listener: ListenerName;
  /** Whether it comes from a network that `smtp` trusts. */
  readonly isNeighbour: boolean;
  /** At `balanced` alone. */
  readonly proxy: ProxyOpening;
  readonly steps: readonly Step[];
  readonly ending: Ending;
  /** Where what is written falls apart into packets: after so many octets each. */
  readonly packet: number;
}

const lines = (commands: fc.Arbitrary<readonly Command[]>): fc.Arbitrary<Step> =>
  fc.tuple(commands, fc.infiniteStream(fc.integer({ min: 0, max: 30 }))).map(([all, dice]) => ({
    kind: "lines" as const,
    commands: all.map((one) => ({ ...one, endsBare: dice.next().value === 0 })),
  }));

const hello: Step = {
  kind: "lines",
  commands: [{ verb: "hello", verdict: "right", text: "EHLO client.example", endsBare: false }],
};
const rightLogin: Step = { kind: "login", login: { verdict: "right", mechanism: "PLAIN", hasInitial: true } };

/** The way to where mail is taken, or a part of it. */
const opening: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<readonly Step[]>([hello, { kind: "startTls" }, hello, rightLogin]) },
  { weight: 3, arbitrary: fc.subarray<Step>([hello, { kind: "startTls" }, hello, rightLogin]) },
  {
    weight: 1,
    arbitrary: login.map((one): readonly Step[] => [hello, { kind: "startTls" }, hello, { kind: "login", login: one }]),
  },
);

const transaction: fc.Arbitrary<readonly Step[]> = fc
  .tuple(lines(envelope), content)
  .map(([said, one]) => [said, { kind: "message", content: one }]);

const someStep: fc.Arbitrary<readonly Step[]> = fc
  .oneof(
    { weight: 3, arbitrary: lines(fc.array(command, { minLength: 1, maxLength: 4 })) },
    { weight: 1, arbitrary: login.map((one): Step => ({ kind: "login", login: one })) },
    { weight: 1, arbitrary: content.map((one): Step => ({ kind: "message", content: one })) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: "startTls" }) },
  )
  .map((one) => [one]);

const ending: fc.Arbitrary<Ending> = fc.oneof(
  { weight: 4, arbitrary: pick("quit" as const, "reset" as const, "halfClosed" as const).map((kind) => ({ kind })) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("inMessage" as const),
      before: lines(envelope),
      content,
      octets: fc.nat({ max: 2000 }),
      isReset: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("deaf" as const), before: lines(envelope), content }) },
);

export const conversation: fc.Arbitrary<Conversation> = fc.record({
  listener: pick("submission" as const, "submissions" as const, "smtp" as const, "balanced" as const),
  isNeighbour: fc.boolean(),
  proxy: proxyOpening,
  steps: fc
    .tuple(
      opening,
      fc.array(fc.oneof({ weight: 3, arbitrary: transaction }, { weight: 2, arbitrary: someStep }), { maxLength: 3 }),
    )
    .map(([first, more]) => [...first, ...more.flat()]),
  ending,
  packet: pick(1, 7, 100, 1400, 100_000, 100_000),
});
