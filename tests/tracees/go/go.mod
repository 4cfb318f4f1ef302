module corelift.dev/tracees/goroutines

go 1.19
