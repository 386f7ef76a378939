// Sends one message with Go's net/smtp or with go-smtp and go-sasl, as an order in a file says. What the client would tell its
// caller goes to standard output.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	netsmtp "net/smtp"
	"os"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

type order struct {
	Library, Mechanism, Address, Ca, Username, Password, Token, From, To, Message string
	// Paths of PEM files.
	Certificate, PrivateKey string
}

func (o order) tls() (*tls.Config, error) {
	pem, err := os.ReadFile(o.Ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	if o.Certificate == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(o.Certificate, o.PrivateKey)
	config.Certificates = []tls.Certificate{pair}
	return config, err
}

func (o order) login() (sasl.Client, error) {
	switch o.Mechanism {
	case "PLAIN":
		return sasl.NewPlainClient("", o.Username, o.Password), nil
	case "LOGIN":
		return sasl.NewLoginClient(o.Username, o.Password), nil
	case "OAUTHBEARER":
		return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: o.Username, Token: o.Token}), nil
	case "EXTERNAL":
		return sasl.NewExternalClient(""), nil
	}
	return nil, errors.New("no such mechanism: " + o.Mechanism)
}

func (o order) sendWithGoSmtp() error {
	config, err := o.tls()
	if err != nil {
		return err
	}
	client, err := smtp.DialStartTLS(o.Address, config)
	if err != nil {
		return err
	}
	defer client.Close()
	login, err := o.login()
	if err != nil {
		return err
	}
	if err := client.Auth(login); err != nil {
		return err
	}
	if err := client.SendMail(o.From, []string{o.To}, strings.NewReader(o.Message)); err != nil {
		return err
	}
	return client.Quit()
}

func (o order) sendWithNetSmtp() error {
	config, err := o.tls()
	if err != nil {
		return err
	}
	client, err := netsmtp.Dial(o.Address)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.StartTLS(config); err != nil {
		return err
	}
	host, _, _ := strings.Cut(o.Address, ":")
	if err := client.Auth(netsmtp.PlainAuth("", o.Username, o.Password, host)); err != nil {
		return err
	}
	if err := client.Mail(o.From); err != nil {
		return err
	}
	if err := client.Rcpt(o.To); err != nil {
		return err
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write([]byte(o.Message)); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	return client.Quit()
}

func main() {
	var o order
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err == nil && o.Library == "net/smtp" {
		err = o.sendWithNetSmtp()
	} else if err == nil {
		err = o.sendWithGoSmtp()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
