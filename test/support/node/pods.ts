/** Pods of the scenarios, with other people's mail programs. */

/** Takes everything for example.net and example.org into one maildir, with STARTTLS offered. */
const postfixScript = `
set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.example.net -keyout /etc/ssl/mx.key -out /etc/ssl/mx.crt 2>/dev/null
mkdir -p /var/mail/inbox && chown -R nobody /var/mail/inbox
cat > /etc/postfix/main.cf <<'END'
compatibility_level = 3.6
myhostname = mx.example.net
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = ipv4
maillog_file = /dev/stdout
virtual_mailbox_domains = example.net example.org
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/ssl/mx.crt
smtpd_tls_key_file = /etc/ssl/mx.key
smtpd_tls_received_header = yes
smtpd_recipient_restrictions = reject_unauth_destination
disable_dns_lookups = yes
smtpd_peername_lookup = no
END
postconf -F '*/*/chroot=n'
exec postfix start-fg
`;

export function inboxObjects(namespace: string, image: string): readonly object[] {
  const labels = { app: "inbox" };
  const container = {
    name: "postfix",
    image,
    imagePullPolicy: "Never",
    command: ["sh", "-c", postfixScript],
    ports: [{ name: "smtp", containerPort: 25 }],
    readinessProbe: { tcpSocket: { port: "smtp" }, periodSeconds: 1 },
  };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "inbox", namespace } },
    podOf({ name: "inbox", namespace, labels, container, account: "inbox" }),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "inbox", namespace },
      spec: { selector: labels, ports: [{ name: "smtp", port: 25, targetPort: "smtp" }] },
    },
  ];
}

export function clientObjects(namespace: string, image: string): readonly object[] {
  const container = { name: "client", image, imagePullPolicy: "Never", command: ["sleep", "infinity"] };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "client", namespace } },
    podOf({ name: "client", namespace, labels: { app: "client" }, container, account: "client" }),
  ];
}

interface PodContent {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly container: object;
  readonly account: string;
}

function podOf({ name, namespace, labels, container, account }: PodContent): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: {
      // Of its own, because the default one is made a moment after the namespace.
      serviceAccountName: account,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      containers: [container],
    },
  };
}
