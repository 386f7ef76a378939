// Sends one message with JavaMail. What the client would tell its caller goes to standard output.
import jakarta.mail.Message;
import jakarta.mail.MessagingException;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.util.Properties;

public class Send {
    public static void main(String[] arguments) {
        String mechanism = arguments[0];
        String port = arguments[1];
        String username = arguments[2];
        String secret = arguments[3];
        String from = arguments[4];
        String to = arguments[5];
        String subject = arguments[6];
        Properties properties = new Properties();
        properties.put("mail.smtp.auth", "true");
        properties.put("mail.smtp.auth.mechanisms", mechanism);
        properties.put("mail.smtp.starttls.required", "true");
        properties.put("mail.smtp.starttls.enable", "true");
        // The certificate is the test's own.
        properties.put("mail.smtp.ssl.trust", "localhost");
        try {
            MimeMessage message = new MimeMessage(Session.getInstance(properties));
            message.setFrom(new InternetAddress(from));
            message.setRecipient(Message.RecipientType.TO, new InternetAddress(to));
            message.setSubject(subject);
            message.setText("hello\r\n");
            Transport transport = Session.getInstance(properties).getTransport("smtp");
            transport.connect("localhost", Integer.parseInt(port), username, secret);
            transport.sendMessage(message, message.getAllRecipients());
            transport.close();
        } catch (MessagingException refused) {
            System.out.println(refused);
            System.exit(1);
        }
    }
}
