/**
 * Notices as two programs read them that are not ours: Python's email package, and flufl.bounce, which mailing lists use to
 * tell who bounced. What they find wrong with a message is part of what they say.
 */
import { z } from "zod";
import { runPython } from "./python.ts";

const script = `
import email, email.parser, email.policy, json, quopri, re, sys
from flufl.bounce import all_failures

def text_of(value):
    octets = str(value).encode("utf-8", "surrogateescape")
    return re.sub(r"\\r?\\n(?=[ \\t])", "", octets.decode("utf-8")).strip()

def fields_of(message):
    return [[name.lower(), text_of(value)] for name, value in message.raw_items()]

def blocks_of(part):
    if part.get_content_type() == "message/delivery-status":
        return [fields_of(block) for block in part.get_payload()]
    # Python takes the global form for a message: the first block is its header, the rest its body.
    blocks = re.split(rb"\\r?\\n\\r?\\n", part.get_payload(0).as_bytes())
    parser = email.parser.BytesHeaderParser(policy=email.policy.compat32)
    return [fields_of(parser.parsebytes(block)) for block in blocks if block.strip() != b""]

def returned_of(part):
    if part.get_content_maintype() == "message":
        octets = part.get_payload(0).as_bytes()
        if part.get_content_type() == "message/global-headers" and part["content-transfer-encoding"] == "quoted-printable":
            octets = quopri.decodestring(octets)
        return octets.decode("latin-1")
    return part.get_payload(decode=True).decode("latin-1")

def read(path):
    with open(path, "rb") as file:
        octets = file.read()
    message = email.message_from_bytes(octets)
    defects = [repr(defect) for part in message.walk() for defect in part.defects]
    # The strict parser has an opinion on the value of each field too; it knows no UTF-8 in headers.
    if octets.split(b"\\r\\n\\r\\n", 1)[0].isascii():
        strict = email.message_from_bytes(octets, policy=email.policy.SMTP)
        defects += [repr(defect) for value in strict.values() for defect in value.defects]
    human, status, returned = message.get_payload()
    blocks = blocks_of(status)
    temporary, permanent = all_failures(message)
    return {
        "header": fields_of(message),
        "type": message.get_content_type(),
        "reportType": message.get_param("report-type"),
        "parts": [[part.get_content_type(), str(part["content-transfer-encoding"] or "7bit")] for part in (human, status, returned)],
        "text": human.get_payload(decode=True).decode(human.get_content_charset()),
        "message": blocks[0],
        "recipients": blocks[1:],
        "returned": returned_of(returned),
        "defects": defects,
        "temporary": sorted(address.decode() for address in temporary),
        "permanent": sorted(address.decode() for address in permanent),
    }

json.dump([read(path) for path in json.load(sys.stdin)], sys.stdout)
`;

/** Names in lower case, values unfolded, in order. */
const fields = z.array(z.tuple([z.string(), z.string()]));

const readNotice = z.object({
  header: fields,
  type: z.string(),
  reportType: z.string(),
  /** Type and encoding of each. */
  parts: z.array(z.tuple([z.string(), z.string()])),
  /** The human part, decoded. */
  text: z.string(),
  message: fields,
  recipients: z.array(fields),
  /** The third part, decoded, one character an octet. */
  returned: z.string(),
  defects: z.array(z.string()),
  /** Whom flufl.bounce takes for late, and whom for failed. */
  temporary: z.array(z.string()),
  permanent: z.array(z.string()),
});

export type ReadNotice = z.infer<typeof readNotice>;
export type NoticeFields = ReadNotice["header"];

/** Reads message files; rejects when one of them has not three parts. */
export async function readNotices(paths: readonly string[]): Promise<readonly ReadNotice[]> {
  return runPython(script, paths, z.array(readNotice));
}

/** All values of a field. */
export function valuesOf(all: NoticeFields, name: string): readonly string[] {
  return all.filter(([each]) => each === name.toLowerCase()).map(([, value]) => value);
}
