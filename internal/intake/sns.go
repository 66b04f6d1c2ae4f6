package intake

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of the signature
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
)

// How far the time of a message may be from now. SNS tries for an hour at most to deliver
// one (AWS, "Amazon SNS message delivery retries", on HTTP and HTTPS).
const (
	snsAge   = 2 * time.Hour
	snsAhead = 15 * time.Minute
)

// maxSigners bounds the certificates that are remembered; SNS uses one in a region for
// months.
const maxSigners = 8

// sns proves by the signature of Amazon SNS, and confirms subscriptions.
//
// Source: AWS, "Verifying the signatures of Amazon SNS messages". What vouches for the
// certificate that signs is that it comes over HTTPS from SNS in the topic's own region.
type sns struct {
	config.SNSProof

	name   string
	log    *zap.Logger
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	signers map[string]*x509.Certificate
}

func newSNS(o Options, name string, c config.SNSProof) *sns {
	return &sns{SNSProof: c, name: name, log: o.Log, client: newOutside(o), now: o.Now, signers: map[string]*x509.Certificate{}}
}

// snsMessage is a message of SNS by the exact names of its members. Names that differ in
// case only, which encoding/json takes for the same in a struct, would let a signed
// member stand beside another one that is then read.
type snsMessage map[string]any

func (m snsMessage) text(name string) string {
	text, _ := m[name].(string)
	return text
}

// prove verifies the signature of a message of one of the topics.
func (s *sns) prove(r *http.Request, body []byte) error {
	if r.Header.Get("X-Amz-Sns-Rawdelivery") == "true" {
		return refused("raw messages of SNS have no signature: switch raw message delivery off for this subscription")
	}
	var m snsMessage
	if json.Unmarshal(body, &m) != nil {
		return refused("the body is no message of SNS")
	}
	topic := m.text("TopicArn")
	if !slices.Contains(s.Topics, topic) {
		return refused("topic %.100q is not one of sns.topics", topic)
	}
	at, err := time.Parse(time.RFC3339, m.text("Timestamp"))
	if age := s.now().Sub(at); err != nil || age > snsAge || age < -snsAhead {
		return refused("the message is of %.40q, and it is %s: is the clock of farmtrust's machine right?", m.text("Timestamp"), s.now().UTC().Format(time.RFC3339))
	}
	signature, err := base64.StdEncoding.DecodeString(m.text("Signature"))
	if err != nil {
		return refused("the signature is not base64")
	}
	signer, err := s.findSigner(r.Context(), topic, m.text("SigningCertURL"))
	if err != nil {
		return err
	}
	return m.verify(signer, signature)
}

// verify verifies the signature by the signer's certificate.
func (m snsMessage) verify(signer *x509.Certificate, signature []byte) error {
	key, ok := signer.PublicKey.(*rsa.PublicKey)
	if !ok {
		return refused("the certificate that signs has no RSA key")
	}
	var hash crypto.Hash
	var sum []byte
	switch version := m.text("SignatureVersion"); version {
	case "1":
		digest := sha1.Sum([]byte(m.signedText())) //nolint:gosec // see import
		hash, sum = crypto.SHA1, digest[:]
	case "2":
		digest := sha256.Sum256([]byte(m.signedText()))
		hash, sum = crypto.SHA256, digest[:]
	default:
		return refused("version %.20q of the signature is not known", version)
	}
	if rsa.VerifyPKCS1v15(key, hash, sum, signature) != nil {
		return refused("the signature is wrong")
	}
	return nil
}

// signedText returns what SNS signs: names and values of some members, in this order.
func (m snsMessage) signedText() string {
	names := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if m.text("Type") != "Notification" {
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	var b strings.Builder
	for _, name := range names {
		if _, sent := m[name].(string); sent || name != "Subject" {
			b.WriteString(name + "\n" + m.text(name) + "\n")
		}
	}
	return b.String()
}

// hostOfTopic returns the host of SNS in a topic's region.
func hostOfTopic(arn string) string {
	parts := strings.Split(arn, ":") // arn:PARTITION:sns:REGION:ACCOUNT:NAME, as the configuration is checked
	suffix := ".amazonaws.com"
	if parts[1] == "aws-cn" {
		suffix = ".amazonaws.com.cn"
	}
	return "sns." + parts[3] + suffix
}

// findSigner returns the certificate at an address of SNS.
func (s *sns) findSigner(ctx context.Context, topic, address string) (*x509.Certificate, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host != hostOfTopic(topic) || u.User != nil || u.RawQuery != "" ||
		!strings.HasPrefix(u.Path, "/SimpleNotificationService-") || !strings.HasSuffix(u.Path, ".pem") {
		return nil, refused("the certificate that signs is not at https://%s/SimpleNotificationService-....pem", hostOfTopic(topic))
	}
	s.mu.Lock()
	signer := s.signers[address]
	s.mu.Unlock()
	if signer == nil {
		if signer, err = s.fetchSigner(ctx, address); err != nil {
			return nil, fmt.Errorf("get the certificate of SNS: %w", err)
		}
	}
	if now := s.now(); now.Before(signer.NotBefore) || now.After(signer.NotAfter) {
		return nil, refused("the certificate that signs is not valid now")
	}
	return signer, nil
}

func (s *sns) fetchSigner(ctx context.Context, address string) (*x509.Certificate, error) {
	content, err := fetch(ctx, s.client, address)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("it is no PEM")
	}
	signer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.signers) >= maxSigners {
		clear(s.signers)
	}
	s.signers[address] = signer
	return signer, nil
}

// greet confirms a subscription. The message has been proven, so the address in it is
// from SNS.
func (s *sns) greet(r *http.Request, body []byte) (answer, bool) {
	// The header is not signed: it only spares the notifications.
	if kind := r.Header.Get("X-Amz-Sns-Message-Type"); r.Method != http.MethodPost || kind == "Notification" {
		return answer{}, false
	}
	var m snsMessage
	_ = json.Unmarshal(body, &m) // the proof has read it
	topic := zap.String("topic", m.text("TopicArn"))
	switch m.text("Type") {
	case "SubscriptionConfirmation":
		return s.confirm(r.Context(), m), true
	case "UnsubscribeConfirmation":
		s.log.Warn("a subscription to a topic of SNS has ended", zap.String("source", s.name), topic)
		return answer{status: http.StatusOK}, true
	default:
		return answer{}, false
	}
}

func (s *sns) confirm(ctx context.Context, m snsMessage) answer {
	topic := m.text("TopicArn")
	if !s.Confirm {
		return refuse(http.StatusUnauthorized, "subscriptions are not confirmed: write sns: {confirm: true} for this source, and request the confirmation again")
	}
	u, err := url.Parse(m.text("SubscribeURL"))
	if err != nil || u.Scheme != "https" || u.Host != hostOfTopic(topic) || u.User != nil || u.Query().Get("TopicArn") != topic {
		return refuse(http.StatusUnauthorized, "the SubscribeURL is not one of SNS for this topic")
	}
	if _, err := fetch(ctx, s.client, u.String()); err != nil {
		a := sendAgain(retryStore, "the subscription could not be confirmed")
		a.reason += ": " + err.Error()
		return a
	}
	s.log.Info("a subscription to a topic of SNS was confirmed", zap.String("source", s.name), zap.String("topic", topic))
	return answer{status: http.StatusOK}
}
