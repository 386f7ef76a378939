import { readFileSync } from "node:fs";
import { createTransport } from "nodemailer";

const ca = readFileSync("/var/run/mailboat/ca.crt");
const accessToken = readFileSync("/var/run/mailboat/token", "utf8");
const auth = { type: "OAuth2", user: "system:serviceaccount:mail:checkout", accessToken };
const { SMTP_HOST: host, SMTP_PORT: port } = process.env;

const relay = createTransport({ host, port, requireTLS: true, tls: { ca }, auth });
await relay.sendMail({ from: "app@example.com", to: "someone@example.org", subject: "Hello from Node", text: "Hello" });
