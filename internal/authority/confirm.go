package authority

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/token"
)

// Confirm checks, when something is about to be done because of it, that a person was
// found to have decided what is wanted: its farm, workflow, first run, action and digest, with
// the rights that it needs at least. The person may have lost them since. Asked is as
// [Authority.Authorize] has it. Where no approvers are configured there is nothing to
// confirm.
//
// Its errors wrap [farm.ErrNotAuthorized].
func (a *Authority) Confirm(given *farm.Authorization, want farm.Statement, asked *farm.Authorization) error {
	if a.Approvers == nil {
		return nil
	}
	if given == nil {
		return refuse("%s: nobody who may has decided it", want.Action)
	}
	if err := a.checkSeal(*given); err != nil {
		return err
	}
	if err := compare(*given, want); err != nil {
		return err
	}
	person, err := a.find(given.By)
	if err != nil {
		return err
	}
	if err := a.checkRights(person, given.Statement); err != nil {
		return err
	}
	return a.checkFourEyes(*given, asked)
}

// ConfirmAsked is [Authority.Confirm] of what the controller of a farm was asked for, as a
// run begins because of it. Use names the run: what was asked for once is begun once,
// within its life.
func (a *Authority) ConfirmAsked(asked *farm.Authorization, want farm.Statement, use string, life time.Duration) error {
	if a.Approvers == nil {
		return nil
	}
	if err := a.Confirm(asked, want, nil); err != nil {
		return err
	}
	if age := a.Now().Sub(asked.At); age > life {
		return refuse("%s: %s asked for it at %s, and that is too long ago: ask again", want.Action, asked.By, farm.FormatTime(asked.At))
	}
	if !a.used.claim("begun "+asked.Nonce, use, a.Now(), life) {
		return refuse("%s: what %s asked for has begun already: ask again", want.Action, asked.By)
	}
	return nil
}

// compare checks that what was decided is what is wanted.
func compare(found farm.Authorization, want farm.Statement) error {
	given := found.Statement
	isOther := given.Farm != want.Farm || given.Workflow != want.Workflow || found.FirstRun != want.Run || given.Action != want.Action || given.Digest != want.Digest
	lacks := slices.ContainsFunc(want.Needs, func(r farm.Right) bool { return !slices.Contains(given.Needs, r) })
	if isOther || lacks {
		return refuse("%s %s of %s: what was decided is %s %s of %s, which is something else", want.Action, cmp.Or(want.Digest, "it"), cmp.Or(want.Workflow, want.Farm),
			given.Action, cmp.Or(given.Digest, "it"), cmp.Or(given.Workflow, given.Farm))
	}
	return nil
}

func (a *Authority) find(name string) (config.Person, error) {
	i := slices.IndexFunc(a.Approvers.People, func(p config.Person) bool { return p.Name == name && name != "" })
	if i < 0 {
		return config.Person{}, refuse("%.100q is not configured to decide any more", name)
	}
	return a.Approvers.People[i], nil
}

func (a *Authority) checkSeal(given farm.Authorization) error {
	if err := a.Seals.Check(sealPurpose, sealedContent(given), given.Seal); err != nil {
		return refuse("%s: no worker has found out who decided it: %v", given.Statement.Action, err)
	}
	return nil
}

func isUnreachable(err error) bool { return errors.Is(err, token.ErrUnreachable) }

// maxUsed bounds the nonces that are remembered. Only those of valid proofs are.
const maxUsed = 100_000

// usedNonces are the nonces that this worker has seen used, and what for.
type usedNonces struct {
	mu   sync.Mutex
	uses map[string]nonceUse
}

type nonceUse struct {
	use   string
	until time.Time
}

// claim notes the use of a nonce, for as long as it could be used again; false where
// something else has used it.
func (u *usedNonces) claim(nonce, use string, now time.Time, life time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if known, found := u.uses[nonce]; found && now.Before(known.until) {
		return known.use == use
	}
	if len(u.uses) >= maxUsed {
		for other, known := range u.uses {
			if !now.Before(known.until) {
				delete(u.uses, other)
			}
		}
	}
	if len(u.uses) >= maxUsed {
		return false // nobody decides so often: rather none than one twice
	}
	if u.uses == nil {
		u.uses = map[string]nonceUse{}
	}
	u.uses[nonce] = nonceUse{use, now.Add(life)}
	return true
}
