// Reads messages as JSON, one batch a line, and says for each which mailboxes Go's net/mail finds in its From field.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/mail"
	"os"
)

func read(message []byte) []string {
	found := []string{}
	parsed, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		return found
	}
	// Every From field: a reader that takes the last one must find nothing else there either.
	for _, value := range parsed.Header["From"] {
		list, err := mail.ParseAddressList(value)
		if err != nil {
			continue
		}
		for _, address := range list {
			found = append(found, address.Address)
		}
	}
	return found
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var messages [][]byte
		if err := json.Unmarshal(line, &messages); err != nil {
			os.Exit(1)
		}
		batch := make([][]string, len(messages))
		for index, message := range messages {
			batch[index] = read(message)
		}
		if err := answers.Encode([][][]string{batch}); err != nil {
			os.Exit(1)
		}
	}
}
