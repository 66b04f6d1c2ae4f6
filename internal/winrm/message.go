package winrm

import (
	"fmt"
	"strings"
)

// The last part of the actions that masterzen sends.
const (
	createAction  = "/transfer/Create"
	commandAction = "/shell/Command"
	sendAction    = "/shell/Send"
	receiveAction = "/shell/Receive"
	deleteAction  = "/transfer/Delete"
)

// amend changes what masterzen has fixed in its messages. lastSend says that
// no standard input follows.
func amend(action, text string, lastSend bool) (string, error) {
	switch {
	case action == createAction:
		// MS-WSMV's schema is a sequence: IdleTimeOut comes before the streams.
		const at = "<rsp:InputStreams>"
		return replace(text, at, fmt.Sprintf("<rsp:IdleTimeOut>PT%dS</rsp:IdleTimeOut>", int(shellIdle.Seconds()))+at)
	case action == commandAction:
		// TRUE is for consoles, where standard input has no end.
		const at = `Name="WINRS_CONSOLEMODE_STDIN">`
		return replace(text, at+"TRUE<", at+"FALSE<")
	case action == sendAction && lastSend:
		// masterzen would send the end as one more request.
		const at = `Name="stdin"`
		return replace(text, at, at+` End="true"`)
	}
	return text, nil
}

// replace replaces the one occurrence of old. Without it, masterzen is not the
// version this was written for.
func replace(text, old, new string) (string, error) {
	if strings.Count(text, old) != 1 {
		return "", fmt.Errorf("amend message: %q is not in it exactly once", old)
	}
	return strings.Replace(text, old, new, 1), nil
}

// actionOf finds the action in a message that masterzen wrote.
func actionOf(text string) string {
	for _, action := range []string{createAction, commandAction, sendAction, receiveAction, deleteAction} {
		if strings.Contains(text, action+"</a:Action>") {
			return action
		}
	}
	return ""
}

// name is an action in an error's words.
func name(action string) string {
	return strings.ToLower(action[strings.LastIndexByte(action, '/')+1:])
}
