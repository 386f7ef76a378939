/**
 * Who a certificate of the internal authority speaks for: the URI among its subject alternative names. Host names say nothing
 * here, because pods come and go; the chain is checked by TLS before this is asked.
 */

/**
 * From the text that Node makes of the names: `URI:mailboat://operator, DNS:a`. Undefined unless there is exactly one URI. Node
 * quotes a name with special characters, which none of ours has: such a certificate speaks for nobody.
 */
export function identityOf(subjectAltName: string | undefined): string | undefined {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined;
  const names = subjectAltName.split(", ").filter((name) => name.startsWith(scheme));
  return names.length === 1 ? names[0]?.slice(scheme.length) : undefined;
}

const scheme = "URI:";
