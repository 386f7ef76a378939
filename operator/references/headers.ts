/** Headers of HTTP requests from an object whose data keys are their names. Pure. */
import type { ConfigMap, Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";

export type Headers = Readonly<Record<string, string>>;

/** RFC 9110 section 5.1 and 5.5, without what no HTTP client lets anybody set. */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headerValue = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const ownHeaders: ReadonlySet<string> = new Set(
  "connection content-encoding content-length content-type host transfer-encoding user-agent".split(" "),
);

/** `why` continues the name of the object. */
export function readHeaders(object: Secret | ConfigMap): { readonly value: Headers } | { readonly why: string } {
  const value: Record<string, string> = {};
  for (const key of Object.keys(object.data).toSorted()) {
    // Files, and so Secrets made of them, like to end in a line end.
    const text = secretText(object, key)?.trim() ?? "";
    const wrong = wrongHeader(key, text);
    if (wrong !== undefined) return { why: `, data key ${key}: ${wrong}` };
    value[key] = text;
  }
  return { value };
}

/** Never says the value: it is a credential. */
function wrongHeader(name: string, value: string): string | undefined {
  if (!headerName.test(name)) return "is no name of an HTTP header: rename the key";
  if (ownHeaders.has(name.toLowerCase())) return "is a header that the exporter sets itself: remove the key";
  return headerValue.test(value) ? undefined : "its value is no HTTP header value: one line of printable ASCII";
}
