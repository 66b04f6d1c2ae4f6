package winrm

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/secret"
)

const (
	// freshFor is how long a password that a server has accepted counts as good.
	freshFor = time.Minute
	// logonsWhileFresh is how many logons of an account with a good password may be under
	// way: if the password was changed a moment ago, each of them is a wrong one. The
	// security baselines of Microsoft lock accounts after ten.
	logonsWhileFresh = 3
	// retryPause is how often somebody may have a refused password tried once more. Who
	// reaches Temporal can ask for it, and two wrong logons an hour lock no account.
	retryPause = 30 * time.Minute
)

// logons keeps a wrong password from locking its account. What refuses it is known to all
// calls of a [Runner], whatever their server and farm: after the first refusal no other
// server is sent it, until the secret changes or somebody asks for another attempt.
//
// There is one exception. Where another server has accepted the same password before, the
// account and the server are both in question, and one more attempt, on another server,
// tells them apart: a single server that refuses everybody must not keep the worker from
// all others.
type logons struct {
	now func() time.Time
	// salt keeps what is remembered of a password from being one that is computed in
	// advance.
	salt [sha256.Size]byte

	mu sync.Mutex
	// accounts are kept for as long as the process runs: one for each password that an
	// account has had.
	accounts map[accountKey]*account
}

// accountKey is a user and a password.
type accountKey struct {
	user   string
	secret [sha256.Size]byte
}

// account is what is known of a user with one password.
type account struct {
	// attempts are the logons that were refused since somebody has asked for another.
	attempts int
	// refusedBy are the servers that have refused it, the first one first.
	refusedBy []string
	at        time.Time
	// acceptedAt is when a server accepted it last; zero for never.
	acceptedAt time.Time
	// doubted reports whether it was refused since; stopped whether no server is sent it.
	doubted, stopped bool
	retriedAt        time.Time

	// underWay are the logons that no server has answered yet, and ended is closed when
	// one of them has.
	underWay int
	ended    chan struct{}
}

func newLogons(now func() time.Time) *logons {
	l := &logons{now: now, accounts: map[accountKey]*account{}}
	_, _ = rand.Read(l.salt[:]) // never fails, says crypto/rand
	return l
}

func (l *logons) find(user string, password secret.Value) *account {
	sum := hmac.New(sha256.New, l.salt[:])
	sum.Write(password.Bytes())
	key := accountKey{user: strings.ToLower(user), secret: [sha256.Size]byte(sum.Sum(nil))}
	a, ok := l.accounts[key]
	if !ok {
		a = &account{ended: make(chan struct{})}
		l.accounts[key] = a
	}
	return a
}

// logon is one attempt to sign in to a server, from when the password is about to be sent
// until the server has answered.
type logon struct {
	logons  *logons
	account *account
	host    string
	// answered reports whether it is no longer under way.
	answered bool
}

// begin waits until a server may be sent a password, or fails with a problem of kind
// [powershell.Denied] if it must not be. End the logon in any case.
func (l *logons) begin(ctx context.Context, host, user string, password secret.Value) (*logon, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.find(user, password)
	for {
		if a.stopped || slices.Contains(a.refusedBy, host) {
			return nil, &problem{kind: powershell.Denied, err: fmt.Errorf("the password of user %s is not sent: %s", user, a.explain())}
		}
		if a.underWay < a.mostUnderWay(l.now()) {
			a.underWay++
			return &logon{logons: l, account: a, host: host}, nil
		}
		ended := a.ended
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			l.mu.Lock()
			return nil, &problem{kind: powershell.Unreachable, err: fmt.Errorf("wait for another server to accept the password of user %s: %w", user, ctx.Err())}
		case <-ended:
		}
		l.mu.Lock()
	}
}

// mostUnderWay is one while nobody knows whether the password is right: others wait for
// what comes of it.
func (a *account) mostUnderWay(now time.Time) int {
	if a.doubted || a.acceptedAt.IsZero() || now.Sub(a.acceptedAt) > freshFor {
		return 1
	}
	return logonsWhileFresh
}

// explain says who has refused the password, and how it goes on.
func (a *account) explain() string {
	attempts, whom := "1 attempt was made with it", "no server is sent it again"
	if a.attempts > 1 {
		attempts = fmt.Sprintf("%d attempts were made with it", a.attempts)
	}
	if !a.stopped {
		whom = "this server is not sent it again, which others have accepted"
	}
	return fmt.Sprintf("%s refused it at %s; %s, and %s, so that the account is not locked, until the secret is another one or somebody runs: farmtrust check FARM --retry-logon",
		strings.Join(a.refusedBy, " and "), a.at.UTC().Format("2006-01-02 15:04:05Z"), attempts, whom)
}

// accepted ends a logon that the server has accepted.
func (o *logon) accepted() {
	o.end(func(a *account) { a.acceptedAt, a.doubted = o.logons.now(), false })
}

// abandoned ends a logon that the server has not answered. It says nothing about the
// password.
func (o *logon) abandoned() { o.end(func(*account) {}) }

// refused ends a logon that the server has refused, and returns how it goes on.
func (o *logon) refused() (explained string) {
	o.end(func(a *account) {
		a.stopped = a.doubted || a.acceptedAt.IsZero()
		a.doubted = true
		a.attempts++
		if a.at = o.logons.now(); !slices.Contains(a.refusedBy, o.host) {
			a.refusedBy = append(a.refusedBy, o.host)
		}
		explained = a.explain()
	})
	return explained
}

// end changes what is known of the account. An answer may come after others, as that to
// each request of a session, and counts too.
func (o *logon) end(change func(*account)) {
	o.logons.mu.Lock()
	defer o.logons.mu.Unlock()
	change(o.account)
	if o.answered {
		return
	}
	o.answered = true
	o.account.underWay--
	close(o.account.ended)
	o.account.ended = make(chan struct{})
}

// retry lets refused passwords of users be tried once more, and returns how many it lets.
// It lets none that was let less than half an hour ago.
func (l *logons) retry(users []string) (let int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, a := range l.accounts {
		isNamed := slices.ContainsFunc(users, func(user string) bool { return strings.ToLower(user) == key.user })
		if !isNamed || len(a.refusedBy) == 0 || l.now().Sub(a.retriedAt) < retryPause {
			continue
		}
		a.refusedBy, a.attempts, a.doubted, a.stopped = nil, 0, false, false
		a.acceptedAt, a.retriedAt = time.Time{}, l.now()
		let++
	}
	return let
}
