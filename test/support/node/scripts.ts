/** What runs in the pod that sends: Python's own SMTP client, and dkimpy. Each reads JSON and prints JSON. */

/** Sends one message by STARTTLS and AUTH; answers with the refusal or with what the server said. */
export const sendScript = `
import json, smtplib, ssl, sys
question = json.load(sys.stdin)
tls = ssl.create_default_context()
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE
try:
    with smtplib.SMTP(question["host"], question["port"], timeout=20) as smtp:
        smtp.starttls(context=tls)
        certificate = ssl.DER_cert_to_PEM_cert(smtp.sock.getpeercert(binary_form=True))
        smtp.login(question["username"], question["password"])
        refused = smtp.sendmail(question["from"], question["to"], question["message"])
    print(json.dumps({"accepted": refused == {}, "certificate": certificate}))
except Exception as error:
    print(json.dumps({"accepted": False, "error": repr(error)}))
`;

/** Verifies every signature with the keys that the cluster's DNS serves: a list of true and false. */
export const verifyScript = `
import json, sys, dkim, dns.resolver
question = json.load(sys.stdin)
message = question["message"].encode("latin1")
count = sum(1 for line in message.split(b"\\r\\n\\r\\n")[0].split(b"\\r\\n") if line.lower().startswith(b"dkim-signature:"))
def lookup(name, timeout=5):
    answer = dns.resolver.resolve(name.decode().rstrip("."), "TXT")
    return b"".join(answer[0].strings)
print(json.dumps([dkim.DKIM(message).verify(idx=index, dnsfunc=lookup) for index in range(count)]))
`;

/**
 * Sends without a pause until a file says stop, trying each message again until it is accepted. Keeps the ids of all that
 * were accepted in a file, so that nothing depends on the connection to this script.
 */
export const flowScript = `
import json, os, smtplib, ssl, sys, time
question = json.load(sys.stdin)
tls = ssl.create_default_context()
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE
ledger, stop = question["ledger"], question["ledger"] + ".stop"
number, troubles, longest, since = 0, 0, 0.0, time.monotonic()
smtp = None
with open(ledger, "w", buffering=1) as accepted:
    while not os.path.exists(stop):
        subject = "flow %s-%d" % (question["name"], number)
        message = "From: %s\\r\\nTo: %s\\r\\nSubject: %s\\r\\n\\r\\nflow\\r\\n" % (question["from"], question["to"][0], subject)
        try:
            if smtp is None:
                smtp = smtplib.SMTP(question["host"], question["port"], timeout=10)
                smtp.starttls(context=tls)
                smtp.login(question["username"], question["password"])
            smtp.sendmail(question["from"], question["to"], message)
        except Exception as error:
            # Until the first message is taken the node may still be making the Service's rules.
            troubles += 1 if number > 0 else 0
            print("trouble", repr(error), file=sys.stderr)
            smtp = None
            time.sleep(0.2)
            continue
        accepted.write(subject + "\\n")
        longest, since = max(longest, time.monotonic() - since), time.monotonic()
        number += 1
        if number % 20 == 0:
            smtp.quit()
            smtp = None
        time.sleep(question["pause"])
print(json.dumps({"accepted": number, "troubles": troubles, "longestGapSeconds": longest}))
`;

/**
 * Sends to each pod without a pause, whatever it answers, until a file says stop. What was asked and not answered is sent again as
 * another message. Writes down which pods have refused something.
 */
export const sendingScript = `
import json, os, smtplib, ssl, sys, threading, time
question = json.load(sys.stdin)
tls = ssl.create_default_context()
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE
accepted, refusals, stop = [], [], question["stopFile"]

def run(pod, host):
    number, smtp = 0, None
    while not os.path.exists(stop):
        number += 1
        subject = "sender %s %d" % (pod, number)
        message = "From: %s\\r\\nTo: %s\\r\\nSubject: %s\\r\\n\\r\\ntireless\\r\\n" % (question["from"], question["to"], subject)
        try:
            if smtp is None:
                smtp = smtplib.SMTP(host, question["port"], timeout=5)
                smtp.starttls(context=tls)
                smtp.login(question["username"], question["password"])
            smtp.sendmail(question["from"], [question["to"]], message)
            accepted.append(subject)
        except smtplib.SMTPSenderRefused as refused:
            if refused.smtp_code != 450:
                smtp = None
            elif b"has sent what it may" in refused.smtp_error:
                refusals.append(subject)
                open(stop + "." + pod, "w").close()
            time.sleep(0.1)
        except Exception as error:
            print("trouble", pod, repr(error), file=sys.stderr)
            smtp = None
            time.sleep(0.2)

began = time.monotonic()
threads = [threading.Thread(target=run, args=(one["pod"], one["host"])) for one in question["senders"]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"accepted": accepted, "refusals": len(refusals), "seconds": time.monotonic() - began}))
`;

/** The serial of the zone that pods see. */
export const serialScript = `
import json, dns.resolver
print(json.dumps(dns.resolver.resolve(".", "SOA")[0].serial))
`;
