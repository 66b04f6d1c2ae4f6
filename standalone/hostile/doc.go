// Package hostile tests what an attacker achieves who reaches Temporal in the namespace
// of farmtrust, with its public SDK and nothing else: nothing that comes through
// Temporal decides what becomes trusted, granted, deleted or restored.
//
// It grows by itself. The workflows are those that are registered, the activities the
// methods of [activities.Activities], the signals, updates and queries those that each
// workflow says that it has; their inputs are filled in by their types. What cannot be
// filled in, or is not there to be attacked, fails the test.
package hostile
