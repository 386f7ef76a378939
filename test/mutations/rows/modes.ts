/** Changes by which mail that delivery.mode keeps would leave, or be lost to its readers. */
import type { Mutation } from "../mutation.ts";

export const modeMutations: readonly Mutation[] = [
  {
    what: "mode Capture lets mail out",
    file: "relay/config/mode.ts",
    old: 'case "Capture":\n      return false;',
    new: 'case "Capture":\n      return true;',
    test: "relay/delivery/captured.test.ts",
  },
  {
    what: "a domain on the list stands for every domain that ends like it",
    file: "relay/config/mode.ts",
    old: "return wanted === whole || wanted === one;",
    new: 'return whole.endsWith(wanted.replace("*@", "")) || wanted === one;',
    test: "relay/config/mode.test.ts",
  },
  {
    what: "recipients that share a way are let out by the first of them",
    file: "relay/delivery/attempt.ts",
    old: "this.#holdBack();\n    if (this.#pending.length > 0)",
    new: "if (this.#pending.length > 0)",
    test: "relay/delivery/captured.test.ts",
  },
  {
    what: "a mode that comes when the next hop waits for the message is not heard",
    file: "relay/smtp/client/transaction.ts",
    old: "if (this.#isWithheld()) {\n      this.#withhold();\n      return;\n    }\n    this.#phase",
    new: "this.#phase",
    test: "relay/delivery/captured.test.ts",
  },
  {
    what: "a mode that comes while a large message is sent is not heard",
    file: "relay/smtp/client/transaction.ts",
    old: "if (this.#line.hasReply || this.#isWithheld()) return false;",
    new: "if (this.#line.hasReply) return false;",
    test: "relay/delivery/captured.test.ts",
  },
  {
    what: "the body of captured mail goes with the last recipient in the queue",
    file: "relay/spool/local/ledger/ledger.ts",
    old: "const removed = empty && !this.captured.has(id) ? [id] : [];",
    new: "const removed = empty ? [id] : [];",
    test: "relay/spool/local/captured.test.ts",
  },
  {
    what: "captured mail counts against the watermark",
    file: "relay/spool/local/store.ts",
    old: "const queuedBytes = this.#usedBytes() - this.#gauges.capturedBytes;",
    new: "const queuedBytes = this.#usedBytes();",
    test: "relay/spool/local/captured.test.ts",
  },
  {
    what: "captured mail grows without end",
    file: "relay/spool/local/ledger/captured.ts",
    old: "this.#bytes > roomBytes;",
    new: "this.#bytes > Number.MAX_VALUE + roomBytes;",
    test: "relay/spool/local/captured.test.ts",
  },
  {
    what: "the page with captured mail answers to any name",
    file: "relay/inspect/pageserver.ts",
    old: 'if (!isLoopbackHost(request.headers.host ?? "")) return plain(403, "ask for localhost");',
    new: "",
    test: "relay/inspect/pageserver.test.ts",
  },
];
