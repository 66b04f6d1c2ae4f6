// Package workers tests workers beside each other in one Temporal namespace, and
// what their steps notice of it: heartbeats, cancellations, pauses and stops. Temporal
// is the embedded server, the farms are simulated.
package workers
