/** Listening on every address of a machine whose kernel may have no IPv6. */

/**
 * What a server is told to bind. `::` takes clients of both families where there are both; where IPv6 is switched off the
 * socket for it cannot even be made, and only without a host Node falls back to IPv4.
 */
export function hostToBind(host: string): { readonly host?: string } {
  return host === "::" ? {} : { host };
}
