import os, smtplib, ssl
from email.message import EmailMessage

mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "app@example.com", "someone@example.org", "Hello from Python"
mail.set_content("Sent with this pod's own identity.")

tls = ssl.create_default_context(cafile="/var/run/mailboat/ca.crt")
with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])) as relay:
    relay.starttls(context=tls)
    relay.login("", open("/var/run/mailboat/token").read())
    relay.send_message(mail)
