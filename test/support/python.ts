/** Python's own mail programs as the other side: smtplib sends, dkimpy verifies. Debian's Python, which has python3-dkim. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { z } from "zod";

const interpreter = "/usr/bin/python3";

/** Runs a script with JSON on its standard input and returns the JSON it printed. Rejects with what it said when it fails. */
export async function runPython<T>(script: string, input: unknown, answer: z.ZodType<T>): Promise<T> {
  const child = spawn(interpreter, ["-c", script], { stdio: ["pipe", "pipe", "pipe"] });
  const exited = Promise.withResolvers<number | null>();
  child.on("error", exited.reject);
  child.on("close", exited.resolve);
  child.stdin.end(JSON.stringify(input));
  const [output, faults, code] = await Promise.all([text(child.stdout), text(child.stderr), exited.promise]);
  if (code !== 0) throw new Error(`python: ${faults}`);
  return answer.parse(JSON.parse(output));
}

const sendScript = `
import json, smtplib, sys
order = json.load(sys.stdin)
answers = []
client = smtplib.SMTP("127.0.0.1", order["port"], timeout=60)
client.ehlo("client.example.net")
for mail in order["mails"]:
    with open(mail["path"], "rb") as file:
        octets = file.read()
    try:
        client.mail(mail["sender"], mail.get("options", []))
        for recipient in mail["recipients"]:
            client.rcpt(recipient)
        code, text = client.data(octets)
    except smtplib.SMTPDataError as error:
        code, text = error.smtp_code, error.smtp_error
    client.rset()
    answers.append([code, text.decode("utf-8", "replace")])
client.quit()
json.dump(answers, sys.stdout)
`;

export interface PythonMail {
  /** A file whose octets are sent as they are; smtplib adds a missing final CRLF and the dots. */
  readonly path: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly options?: readonly string[];
}

/** One connection for all mails; code and text of the reply to each DATA. */
export async function sendWithSmtplib(
  port: number,
  mails: readonly PythonMail[],
): Promise<readonly (readonly [number, string])[]> {
  return runPython(sendScript, { port, mails }, z.array(z.tuple([z.number(), z.string()])));
}

const verifyScript = `
import json, sys, dkim
order = json.load(sys.stdin)
keys = {name: record.encode() for name, record in order["keys"].items()}
answers = []
for path in order["paths"]:
    with open(path, "rb") as file:
        checked = dkim.DKIM(file.read())
    verdicts = {}
    for index, _ in enumerate([name for name, _ in checked.headers if name.lower() == b"dkim-signature"]):
        try:
            good = checked.verify(index, dnsfunc=lambda name, timeout=5: keys.get(name.decode().rstrip(".")))
            fields = checked.signature_fields
            verdicts[fields[b"s"].decode()] = "pass" if good else "fail"
        except dkim.DKIMException as error:
            verdicts["error %d" % index] = str(error)
    answers.append(verdicts)
json.dump(answers, sys.stdout)
`;

/** For each message file the verdict of each signature by its selector: `pass`, `fail`, or what was wrong. No DNS is asked. */
export async function verifyWithDkimpy(
  keys: Readonly<Record<string, string>>,
  paths: readonly string[],
): Promise<readonly Readonly<Record<string, string>>[]> {
  return runPython(verifyScript, { keys, paths }, z.array(z.record(z.string(), z.string())));
}

const partsScript = `
import base64, email, email.policy, hashlib, json, sys
answers = []
for path in json.load(sys.stdin)["paths"]:
    with open(path, "rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.compat32)
    parts = []
    for part in message.walk():
        payload = b"" if part.is_multipart() else part.get_payload(decode=True)
        # The line end before a boundary belongs to the boundary, the one at the end of a message to nobody.
        parts.append([part.get_content_type(), str(part.get_filename()), hashlib.sha256(payload.rstrip(b"\\r\\n")).hexdigest()])
    answers.append(parts)
json.dump(answers, sys.stdout)
`;

/** For each message file its parts in order as Python decodes them: type, file name, SHA-256 of the content. */
export async function decodePartsWithPython(
  paths: readonly string[],
): Promise<readonly (readonly (readonly string[])[])[]> {
  return runPython(partsScript, { paths }, z.array(z.array(z.array(z.string()))));
}
