/** smtp-server as the capture exchanger wants it: no AUTH, no TLS, enhanced codes of our own, connections that can be cut. */
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from "smtp-server";
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js";

const enhancedCode = /^[245]\.\d{1,3}\.\d{1,3} /;

class CaptureConnection extends SMTPConnection {
  /** A text that brings its enhanced code along needs none of the library's. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    super.send(code, data, typeof data === "string" && enhancedCode.test(data) ? false : context);
  }
}

export class CaptureServer extends SMTPServer {
  readonly #connections = new WeakMap<SMTPServerSession, CaptureConnection>();

  constructor(hooks: Pick<SMTPServerOptions, "onRcptTo" | "onData">) {
    super({
      name: "capture.mailboat.localhost",
      banner: "Mailboat capture",
      authOptional: true,
      // Everything it is offered is taken: no AUTH, no TLS, and none of the library's jokes.
      disabledCommands: ["AUTH", "STARTTLS", "XCLIENT", "XFORWARD", "WIZ", "SHELL", "KILL", "HELP", "VRFY"],
      hideENHANCEDSTATUSCODES: false,
      hideDSN: false,
      disableReverseLookup: true,
      logger: false,
      // Who waits for an answer when local mode stops is cut off: the relays have stopped before.
      closeTimeout: 1_000,
      ...hooks,
    });
  }

  override connect(...parameters: Parameters<SMTPServer["connect"]>): void {
    const connection = new CaptureConnection(this, ...parameters);
    this.#connections.set(connection.session, connection);
    this.connections.add(connection);
    connection.on("error", (error: Error) => this._onError(error));
    connection.init();
  }

  /** As if the machine had died. */
  cut(session: SMTPServerSession): void {
    this.#connections.get(session)?._socket.destroy();
  }
}
