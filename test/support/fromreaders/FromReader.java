// Reads messages, one a line in base64 and an empty line behind each batch, and says for each which mailboxes JavaMail
// finds in its From field: a line for each, the addresses in base64 and parted by spaces, strict and lenient in turn.
import jakarta.mail.Address;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.InternetHeaders;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

public class FromReader {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        StringBuilder answers = new StringBuilder();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.isEmpty()) {
                System.out.println(answers);
                answers.setLength(0);
                continue;
            }
            byte[] octets = Base64.getDecoder().decode(line);
            answers.append(found(octets, true)).append(',').append(found(octets, false)).append(';');
        }
    }

    private static String found(byte[] octets, boolean strict) {
        StringBuilder text = new StringBuilder();
        try {
            InternetHeaders headers = new InternetHeaders(new ByteArrayInputStream(octets), true);
            String[] values = headers.getHeader("From");
            if (values == null) return "";
            for (String value : values) {
                for (Address address : InternetAddress.parseHeader(value, strict)) {
                    byte[] found = ((InternetAddress) address).getAddress().getBytes(StandardCharsets.UTF_8);
                    text.append(Base64.getEncoder().encodeToString(found)).append(' ');
                }
            }
        } catch (Exception error) {
            return "";
        }
        return text.toString();
    }
}
