package intake

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However messages come, and however many at a time, no more is let in than the rate,
// and the last message whole.
func TestBucket_NoMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, 0)
		rate := rapid.IntRange(1, 50).Draw(t, "rate")
		b := newBucket(rate, func() time.Time { return now })
		let, largest := 0, 1
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-500, 3000).Draw(t, "ms")) * time.Millisecond)
			size := rapid.SampledFrom([]int{1, 1, 1, 5, 200}).Draw(t, "size")
			atOnce := rapid.IntRange(1, 4).Draw(t, "at once")
			in := 0
			for range atOnce {
				if wait := b.take(); wait == 0 {
					in++
				} else if wait < 0 {
					t.Fatalf("waits %s", wait)
				}
			}
			for range in {
				let++ // what take let in
				if b.takeMore(size-1) == 0 {
					let, largest = let+size-1, max(largest, size)
				}
			}
			if most := float64(rate) + float64(rate)*highest(now) + float64(largest); float64(let) > most {
				t.Fatalf("%d events were let in within %s at %d a second, more than %.0f", let, now.Sub(time.Unix(0, 0)), rate, most)
			}
		}
	})
}

// highest is how many seconds a clock can have shown by now that goes back half a second
// at each of a hundred steps.
func highest(now time.Time) float64 { return now.Sub(time.Unix(0, 0)).Seconds() + 50 }
