package model

import (
	"fmt"
	"time"
)

// SQLRefusal is how the SQL Server of a SharePoint farm, which runs, keeps an
// account from the farm. For one that does not run see [SQLAway].
type SQLRefusal string

// The refusals; the zero value is none.
const (
	SQLAdmits SQLRefusal = ""
	// SQLFailsOver: its replica of the database is not the primary one yet.
	SQLFailsOver SQLRefusal = "fails over"
	// SQLRecovers: the database is not online yet.
	SQLRecovers SQLRefusal = "recovers"
	// SQLHidesDatabase: the account cannot open the database, and the server does
	// not list it.
	SQLHidesDatabase SQLRefusal = "hides the database"
	// SQLWithoutLogin: it has no login of the account; SQLWithoutUser: it has one
	// that may not open the database.
	SQLWithoutLogin SQLRefusal = "without login"
	SQLWithoutUser  SQLRefusal = "without user"
	// SQLAdmitsClient: the database opens, but the product does not reach its farm.
	SQLAdmitsClient SQLRefusal = "opens the database alone"
)

// RefuseSQL sets how the SQL Server of a SharePoint farm refuses, by the farm's name.
func (w *World) RefuseSQL(sharePoint string, refusal SQLRefusal) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.sharePoint {
		if f.Name == sharePoint {
			f.sql = refusal
			return nil
		}
	}
	return fmt.Errorf("there is no SharePoint farm %q in this simulation", sharePoint)
}

// DatabaseAnswer is SQL Server's answer to a client that opens the configuration
// database.
type DatabaseAnswer struct {
	// Number is the number of SQL Server's error, 0 when the database opens.
	Number  int
	Message string
	// State is that of the database as the server lists it; -1 when it lists none.
	// It is 0 for a database that is online.
	State int
}

// The numbers of SQL Server's errors.
const (
	numberNotFound      = 53
	numberNotPrimary    = 983
	numberCannotOpen    = 4060
	numberLoginFailed   = 18456
	stateRecovering     = 2
	stateNotListed      = -1
	anonymousLogon      = `NT AUTHORITY\ANONYMOUS LOGON`
	configurationDB     = "SharePoint_Config"
	textNotFound        = "A network-related or instance-specific error occurred while establishing a connection to SQL Server. The server was not found or was not accessible."
	textNotPrimary      = "Unable to access availability database '" + configurationDB + "' because the database replica is not in the PRIMARY or SECONDARY role."
	textCannotOpen      = "Cannot open database \"" + configurationDB + "\" requested by the login. The login failed.\n"
	textLoginFailedName = "Login failed for user '%s'."
)

// OpenConfigurationDatabase opens the database of the machine's farm, as a client
// of SQL Server with the account of the session does.
func (s *Session) OpenConfigurationDatabase() (answer DatabaseAnswer, err error) {
	err = s.perform(func(now time.Time) error {
		f := s.world.sharePointFarm(s.m)
		if f == nil {
			return &Error{ID: "Database", Message: "no farm", Exception: "System.InvalidOperationException", HResult: InvalidOperation}
		}
		s.world.countRule(RuleSQLNumbers)
		answer = s.askSQL(f, now)
		return nil
	})
	return answer, err
}

// askSQL answers in the order of a logon: the network, the login, the database.
func (s *Session) askSQL(f *sharePointFarm, now time.Time) DatabaseAnswer {
	refusal := fmt.Sprintf(textLoginFailedName, s.Account())
	switch {
	case f.isSQLAway(now):
		return DatabaseAnswer{Number: numberNotFound, Message: textNotFound, State: stateNotListed}
	case !s.SharePoint().reachesSQL(f):
		return DatabaseAnswer{Number: numberLoginFailed, Message: fmt.Sprintf(textLoginFailedName, anonymousLogon), State: stateNotListed}
	}
	switch f.sql {
	case SQLWithoutLogin:
		return DatabaseAnswer{Number: numberLoginFailed, Message: refusal, State: stateNotListed}
	case SQLFailsOver:
		return DatabaseAnswer{Number: numberNotPrimary, Message: textNotPrimary}
	case SQLWithoutUser:
		return DatabaseAnswer{Number: numberCannotOpen, Message: textCannotOpen + refusal}
	case SQLRecovers:
		return DatabaseAnswer{Number: numberCannotOpen, Message: textCannotOpen + refusal, State: stateRecovering}
	case SQLHidesDatabase:
		return DatabaseAnswer{Number: numberCannotOpen, Message: textCannotOpen + refusal, State: stateNotListed}
	}
	return DatabaseAnswer{}
}
