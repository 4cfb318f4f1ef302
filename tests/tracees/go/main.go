// Goroutines with known function names: workers blocked in levelThree below levelTwo below levelOne, and one that computes.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"
)

const wordsPerBlock = 1 << 17

// The same mixing function as tracee_word in tracee.h.
func traceeWord(address, epoch uint64) uint64 {
	x := address + epoch*0x9e3779b97f4a7c15
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return x
}

var (
	block    = make([]uint64, wordsPerBlock)
	computed uint64
)

func levelThree(worker int, gate <-chan int) int { return <-gate + worker }

func levelTwo(worker int, gate <-chan int) int { return levelThree(worker, gate) + 1 }

func levelOne(worker int, gate <-chan int, done chan<- int) { done <- levelTwo(worker, gate) }

func computeForEver() {
	for {
		atomic.AddUint64(&computed, 1)
	}
}

func wrongWords() int {
	wrong := 0
	for i := range block {
		if block[i] != traceeWord(uint64(uintptr(unsafe.Pointer(&block[i]))), 0) {
			wrong++
		}
	}
	return wrong
}

func main() {
	workers := flag.Int("workers", 8, "goroutines that wait")
	flag.Parse()
	for i := range block {
		block[i] = traceeWord(uint64(uintptr(unsafe.Pointer(&block[i]))), 0)
	}
	gate, done := make(chan int), make(chan int)
	for i := 0; i < *workers; i++ {
		go levelOne(i, gate, done)
	}
	go computeForEver()
	start := uint64(uintptr(unsafe.Pointer(&block[0])))
	fmt.Printf("READY pid=%d workers=%d private=%#x-%#x\n", os.Getpid(), *workers, start, start+8*wordsPerBlock)
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		switch commands.Text() {
		case "exit":
			return
		case "check":
			before := atomic.LoadUint64(&computed)
			for atomic.LoadUint64(&computed) == before {
			}
			if wrong := wrongWords(); wrong != 0 {
				fmt.Printf("BAD words=%d\n", wrong)
			} else {
				fmt.Printf("OK words=0\n")
			}
		case "release":
			sum := 0
			for i := 0; i < *workers; i++ {
				gate <- 1
				sum += <-done
			}
			fmt.Printf("OK sum=%d\n", sum)
		default:
			fmt.Printf("BAD unknown command %s\n", commands.Text())
		}
	}
}
